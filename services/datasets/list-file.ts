/** @file A list file at some 45 bytes a patch: as objects, the patches of a large cohort would take ten times that. */
import { type NamedPatch, parseList } from "../lib/patches/patch-names.ts";

/** The patches of a list file by their place in it. */
export interface PatchList {
  readonly length: number;
  /** Throws RangeError beyond the end. */
  at(index: number): NamedPatch;
}

const NEW_LINE = "\n".charCodeAt(0);

/** Returns the patches of a list file, each parsed when it is asked for. The bytes must stay as they are. */
export const openList = (bytes: Uint8Array): PatchList => {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = startsOfLines(file);
  const length = starts.length - 1;
  return {
    length,
    at: (index) => {
      const [patch] = parseList(file.toString("latin1", starts[index], starts[index + 1]));
      if (index >= length || patch === undefined) throw new RangeError(`Cannot read line ${index} of ${length}`);
      return patch;
    },
  };
};

/** Where each line begins, and last where the next would. */
const startsOfLines = (file: Buffer): Uint32Array => {
  const count = file.reduce((lines, byte) => lines + (byte === NEW_LINE ? 1 : 0), 0);
  const starts = new Uint32Array(count + 1);
  for (let line = 1; line <= count; line++) starts[line] = file.indexOf(NEW_LINE, starts[line - 1]) + 1;
  return starts;
};
