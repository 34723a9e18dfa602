/** @file Memory that is used again: large arrays made anew for every run cost page faults and collections of the whole heap. */

/** Of what a scratch holds for later. */
const MAX_HELD_BYTES = 32 * 2 ** 20;

/** Buffers between their uses. */
export interface Scratch {
  /** Returns a buffer of at least so many bytes, with whatever it holds. */
  take(bytes: number): ArrayBuffer;
  /** Takes a buffer that its user is done with. */
  give(buffer: ArrayBuffer): void;
}

/** Returns an empty scratch. */
export function createScratch(): Scratch {
  const held: ArrayBuffer[] = [];
  let heldBytes = 0;
  return {
    take: (bytes) => {
      const at = held.findIndex(({ byteLength }) => byteLength >= bytes);
      if (at < 0) return new ArrayBuffer(roundedUp(bytes));
      const [buffer] = held.splice(at, 1);
      heldBytes -= buffer!.byteLength;
      return buffer!;
    },
    give: (buffer) => {
      if (heldBytes + buffer.byteLength > MAX_HELD_BYTES) return;
      heldBytes += buffer.byteLength;
      held.push(buffer);
      held.sort((a, b) => a.byteLength - b.byteLength);
    },
  };
}

/** Returns so many floats, with whatever they hold. */
export const takeFloats = (scratch: Scratch, count: number): Float32Array<ArrayBuffer> =>
  new Float32Array(scratch.take(Float32Array.BYTES_PER_ELEMENT * count), 0, count);

/** The same of whole numbers. */
export const takeInts = (scratch: Scratch, count: number): Int32Array<ArrayBuffer> =>
  new Int32Array(scratch.take(Int32Array.BYTES_PER_ELEMENT * count), 0, count);

/** Gives an array's memory back, wherever it is from. */
export const giveBack = (scratch: Scratch, { buffer }: ArrayBufferView): void => {
  if (buffer instanceof ArrayBuffer) scratch.give(buffer);
};

/** To a power of two, so that a buffer fits what comes later too. */
const roundedUp = (bytes: number): number => 2 ** Math.ceil(Math.log2(Math.max(bytes, 1)));
