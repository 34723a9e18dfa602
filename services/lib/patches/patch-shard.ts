/** @file Reads the patches of one image and level from one object, which `cutShard` wrote: a WebDataset-style tar, `<name>.rgb` then `<name>.cls` per patch. */
import { PATCH_BYTES } from "../method/patches.ts";
import { corrupt, readTar, type TarEntry } from "./ustar.ts";

/** A stored patch (METHOD.md 1). */
export interface Patch {
  /** Letters, digits, "_" and "-", at most 96: readers of WebDataset part name and kind at the first dot. */
  readonly name: string;
  /** The label of the list files, 0 to 255. */
  readonly label: number;
  /** Planar RGB, 3 x 32 x 32. */
  readonly pixels: Uint8Array;
}

/** Returns the patches of a shard in their order; their pixels are views of its bytes. Throws dataLoss SHARD_CORRUPT. */
export const readShard = (bytes: Uint8Array): Patch[] => {
  const entries = readTar(bytes);
  const patches: Patch[] = [];
  for (let i = 0; i < entries.length; i += 2) patches.push(patchOf(entries[i]!, entries[i + 1], i));
  return patches;
};

const patchOf = (rgb: TarEntry, cls: TarEntry | undefined, index: number): Patch => {
  const name = rgb.name.slice(0, -".rgb".length);
  const label = cls === undefined ? "" : Buffer.from(cls.data).toString("latin1");
  const isPair = rgb.name === `${name}.rgb` && cls?.name === `${name}.cls`;
  if (!isPair || rgb.data.length !== PATCH_BYTES || !/^\d{1,3}$/.test(label)) {
    throw corrupt(`entry ${index}`, `"${rgb.name}" is not a patch of ${PATCH_BYTES} bytes followed by its label`);
  }
  return { name, label: Number(label), pixels: rgb.data };
};
