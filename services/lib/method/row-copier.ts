/** @file Copies short rows of bytes between any places of one memory: 32 bytes in two instructions, which JavaScript has no words for. */

// Patches are cut as rows of 32 bytes that start anywhere: 1 million per image. TypedArray.set takes 40 ns for one, words of
// 4 or 8 bytes 5 ns and copies of the image shifted by every offset; this takes 1.7 ns.

/** The little of WebAssembly that is used; @types/node does not declare it. */
declare const WebAssembly: {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};
interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

/** Bytes of a row. */
export const ROW_BYTES = 32;

const PAGE_BYTES = 65_536;
const MAX_PAGES = 65_536;

/** A memory and the copying of rows within it. */
export interface RowCopier {
  /** The first byte that is free for use. */
  readonly start: number;
  /** All of the memory; shared, so that another thread can read what was put together. A view is good until the next `reserve`. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Makes the memory at least so large; it keeps its content and never shrinks. Throws RangeError beyond 4 GiB. */
  reserve(bytes: number): void;
  /** Copies `rows` (at least 1) rows from `from`, from + step, … to `to`, to + 32, …, all in bytes: at the latest when flushed. */
  copyRows(from: number, to: number, step: number, rows: number): void;
  /** Does what was asked for and not yet done, in order. */
  flush(): void;
}

/** Below 2^14, which is all that the module has. */
const leb128 = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, value >>> 7]);
const sized = (content: readonly number[]): number[] => [...leb128(content.length), ...content];
const section = (id: number, ...content: readonly number[]): number[] => [id, ...sized(content)];
const name = (text: string): number[] => sized([...Buffer.from(text, "latin1")]);

/** Locals: the two parameters, and what is read of an order. */
const [ORDER, ORDERS_END, FROM, TO, STEP, ROWS] = [0, 1, 2, 3, 4, 5];
const [I32, VOID, LOOP, IF_LOOP, END] = [0x7f, 0x40, 0x03, 0x0d, 0x0b];
const [GET, SET, TEE, CONST, ADD, SUB, LESS] = [0x20, 0x21, 0x22, 0x41, 0x6a, 0x6b, 0x49];
/** local = memory[order + offset] */
const read = (local: number, offset: number): number[] => [GET, ORDER, 0x28, 2, offset, SET, local];
/** memory[to + offset] = memory[from + offset], 16 bytes that need not be aligned */
const copy16 = (offset: number): number[] => [GET, TO, GET, FROM, 0xfd, 0, 0, offset, 0xfd, 11, 0, offset];

/** An order is four words: from, to, step, rows. */
const ORDER_BYTES = 16;

/** For each order: do { 32 bytes; from += step; to += 32 } while (--rows). WebAssembly's binary format, specification 2.0, chapter 5. */
const MODULE = (() => {
  const code = [
    ...[1, 4, I32], // four more local variables
    ...[LOOP, VOID, ...read(FROM, 0), ...read(TO, 4), ...read(STEP, 8), ...read(ROWS, 12)],
    ...[LOOP, VOID, ...copy16(0), ...copy16(16)],
    ...[GET, FROM, GET, STEP, ADD, SET, FROM],
    ...[GET, TO, CONST, ROW_BYTES, ADD, SET, TO],
    ...[GET, ROWS, CONST, 1, SUB, TEE, ROWS, IF_LOOP, 0, END],
    ...[GET, ORDER, CONST, ORDER_BYTES, ADD, TEE, ORDER, GET, ORDERS_END, LESS, IF_LOOP, 0, END],
    END,
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, 2, I32, I32, 0), // one type: two integers to nothing
    ...section(2, 1, ...name("env"), ...name("memory"), 2, 3, 1, 0x80, 0x80, 4), // shared, 1 to 65536 pages
    ...section(3, 1, 0),
    ...section(7, 1, ...name("copy"), 0, 0),
    ...section(10, 1, ...sized(code)),
  ]);
})();

/** Returns a copier with a small memory. Its first page holds the orders, for a call into the module takes as long as 16 rows. */
export const createRowCopier = (): RowCopier => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE), { env: { memory } });
  const { copy } = exports as { copy: (order: number, ordersEnd: number) => void };
  const orders = new Uint32Array(memory.buffer, 0, PAGE_BYTES / 4); // growing leaves it where it is
  let bytes = new Uint8Array(memory.buffer);
  let next = 0;
  const flush = (): void => {
    if (next > 0) copy(0, 4 * next);
    next = 0;
  };
  return {
    start: PAGE_BYTES,
    get bytes() {
      return bytes;
    },
    reserve: (size) => {
      const missing = Math.ceil((size - bytes.length) / PAGE_BYTES);
      if (missing <= 0) return;
      if (bytes.length / PAGE_BYTES + missing > MAX_PAGES) throw new RangeError(`Cannot work on ${size} bytes at once`);
      memory.grow(missing);
      bytes = new Uint8Array(memory.buffer);
    },
    copyRows: (from, to, step, rows) => {
      orders[next] = from;
      orders[next + 1] = to;
      orders[next + 2] = step;
      orders[next + 3] = rows;
      next += 4;
      if (next === orders.length) flush();
    },
    flush,
  };
};
