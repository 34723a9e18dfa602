/** @file Shards and archives of any content, entry by entry: what `cutShard` is held to, and what tests of readers read. */
import { PATCH_BYTES } from "../method/patches.ts";
import type { Patch } from "./patch-shard.ts";
import { BLOCK, padded, type TarEntry, tarHeader } from "./ustar.ts";

/** Returns an archive of the entries in their order. Throws RangeError for a name that is not 1 to 100 ASCII characters. */
export const writeTar = (entries: readonly TarEntry[]): Uint8Array => {
  const size = entries.reduce((sum, { data }) => sum + BLOCK + padded(data.length), 0);
  const archive = Buffer.alloc(size + 2 * BLOCK);
  let at = 0;
  for (const { name, data } of entries) {
    tarHeader(name, data.length).copy(archive, at);
    archive.set(data, at + BLOCK);
    at += BLOCK + padded(data.length);
  }
  return archive;
};

/** Returns the shard of the patches in their order; the same patches give the same bytes. Throws RangeError on a bad patch. */
export const writeShard = (patches: readonly Patch[]): Uint8Array => writeTar(patches.flatMap(entriesOf));

const entriesOf = ({ name, label, pixels }: Patch): TarEntry[] => {
  const isLabel = Number.isInteger(label) && label >= 0 && label <= 255;
  if (!/^[\w-]{1,96}$/.test(name) || !isLabel || pixels.length !== PATCH_BYTES) {
    throw new RangeError(`Cannot store patch "${name}" with label ${label} and ${pixels.length} bytes of pixels`);
  }
  return [
    { name: `${name}.rgb`, data: pixels },
    { name: `${name}.cls`, data: Buffer.from(String(label), "latin1") },
  ];
};
