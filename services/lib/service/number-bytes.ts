/** @file Numbers as the bytes of a message or an object: as they lie in memory, little-endian on every processor that ONNX Runtime for Node runs on. */

/** Returns the bytes of numbers; a view of them. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/** Returns the floats of some bytes. */
export const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(copied(bytes));

/** Returns the doubles of some bytes. */
export const doublesOf = (bytes: Uint8Array): Float64Array => new Float64Array(copied(bytes));

/** Returns the 32-bit integers of some bytes. */
export const integersOf = (bytes: Uint8Array): Uint32Array => new Uint32Array(copied(bytes));

/** A copy of its own: what lies in a message starts anywhere in a larger buffer, numbers at multiples of their size. */
const copied = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;
