/**
 * @file An object as a file: its bytes, then a trailer of 8 bytes magic and 32 bytes SHA-256. Content and hash are one
 * file, so one rename publishes both.
 */
import { type FileHandle, open } from "node:fs/promises";
import { sha256Hex, verifiedBody } from "./checked-body.ts";
import { isSystemError } from "./folder-failure.ts";
import { isStreamBody } from "./guarded-store.ts";
import { objectCorrupt } from "./object-errors.ts";
import type { StreamBody } from "./object-store.ts";

const MAGIC = Buffer.from("RADHOBJ1", "latin1");
const TRAILER_BYTES = MAGIC.length + 32;
/** Linux reads at most 2 GiB less a page at once. */
const MAX_READ_BYTES = 2 ** 30;

/** An object's open file; whoever has it closes `handle`. A file that was replaced meanwhile stays whole for it. */
export interface ObjectFile {
  readonly handle: FileHandle;
  /** Bytes of content. */
  readonly size: number;
  /** SHA-256 of the content when it was stored, hex. */
  readonly sha256: string;
}

const readFully = async (handle: FileHandle, target: Uint8Array, position: number): Promise<number> => {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(target.length - done, MAX_READ_BYTES);
    const { bytesRead } = await handle.read(target, done, length, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
};

/** Returns the object's file, its trailer read, or undefined if there is none. Throws OBJECT_CORRUPT. */
export const openObjectFile = async (path: string, key: string): Promise<ObjectFile | undefined> => {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (thrown) {
    if (isSystemError(thrown, "ENOENT")) return undefined;
    throw thrown;
  }
  try {
    const size = (await handle.stat()).size - TRAILER_BYTES;
    const trailer = new Uint8Array(TRAILER_BYTES);
    const read = size < 0 ? 0 : await readFully(handle, trailer, size);
    if (read !== TRAILER_BYTES || MAGIC.compare(trailer, 0, MAGIC.length) !== 0) {
      throw objectCorrupt(key, "its file was cut short or written by something else");
    }
    return { handle, size, sha256: Buffer.from(trailer.subarray(MAGIC.length)).toString("hex") };
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
};

/** Returns the file's content. Throws OBJECT_CORRUPT if it is not what was stored. */
export const readContent = async ({ handle, size, sha256 }: ObjectFile, key: string): Promise<Uint8Array> => {
  const bytes = new Uint8Array(size);
  await readFully(handle, bytes, 0);
  const actual = sha256Hex(bytes);
  if (actual !== sha256) throw objectCorrupt(key, `its bytes hash to ${actual} and not to ${sha256}`);
  return bytes;
};

const writeContent = async (handle: FileHandle, key: string, body: Uint8Array | StreamBody): Promise<string> => {
  if (isStreamBody(body)) {
    for await (const chunk of verifiedBody(key, body)) await handle.writeFile(chunk);
    return body.sha256;
  }
  const sha256 = sha256Hex(body);
  await handle.writeFile(body);
  return sha256;
};

/**
 * Writes a new file and returns the content's SHA-256 once the bytes are on the disk, so that what is published
 * afterwards is whole even after a power cut.
 */
export const writeObjectFile = async (path: string, key: string, body: Uint8Array | StreamBody): Promise<string> => {
  const handle = await open(path, "wx");
  try {
    const sha256 = await writeContent(handle, key, body);
    await handle.writeFile(Buffer.concat([MAGIC, Buffer.from(sha256, "hex")]));
    await handle.datasync();
    return sha256;
  } finally {
    await handle.close();
  }
};
