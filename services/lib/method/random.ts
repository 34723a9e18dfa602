/** @file Seeded randomness: the same parts give the same numbers on every machine. */

/** What can be shuffled in place: an array or a typed array. */
export interface Shuffleable<T> {
  readonly length: number;
  [index: number]: T;
}

/** A stream of random numbers, a function of its seed parts alone. */
export interface Random {
  /** Uniform in [0, 1), 53 bits. */
  next(): number;
  /** Uniform integer in 0..n-1, without bias; n in 1..2^32. */
  int(n: number): number;
  /** Normal with mean 0 and standard deviation 1. */
  normal(): number;
  /** `k` distinct integers of 0..n-1 in random order; memory and time O(k). Throws RangeError if k > n. */
  sampleWithoutReplacement(n: number, k: number): Uint32Array;
  /** Shuffles in place (Fisher-Yates). */
  shuffle<T>(values: Shuffleable<T>): void;
}

const TWO_32 = 2 ** 32;
/** Outputs thrown away after seeding, so that near seeds give unrelated streams. */
const WARM_UP = 15;

/** 128 bits of a text (cyrb128, public domain): multiply-xor over UTF-16 units. */
const hash128 = (text: string): readonly [number, number, number, number] => {
  let a = 1779033703;
  let b = 3144134277;
  let c = 1013904242;
  let d = 2773480762;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ unit, 597399067);
    b = c ^ Math.imul(b ^ unit, 2869860233);
    c = d ^ Math.imul(c ^ unit, 951274213);
    d = a ^ Math.imul(d ^ unit, 2716044179);
  }
  a = Math.imul(c ^ (a >>> 18), 597399067);
  b = Math.imul(d ^ (b >>> 22), 2869860233);
  c = Math.imul(a ^ (c >>> 17), 951274213);
  d = Math.imul(b ^ (d >>> 19), 2716044179);
  a ^= b ^ c ^ d;
  return [a, b ^ a, c ^ a, d ^ a];
};

/** Uniform 32-bit integers (sfc32, PractRand's author's generator). */
const sfc32 = (seed: readonly [number, number, number, number]): (() => number) => {
  let [a, b, c, d] = seed;
  return () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
};

/** What lies at places of 0, 1, 2, …, of which at most so many were changed. */
interface Places {
  get(place: number): number;
  /** Puts a value in a place and returns what was there. */
  swap(place: number, value: number): number;
}

/** A hash table of its own (open addressing, linear probing, half full at most): a Map takes five times as long. */
const createPlaces = (changes: number): Places => {
  const bits = Math.max(1, Math.ceil(Math.log2(2 * changes + 2)));
  const keys = new Float64Array(2 ** bits).fill(-1);
  const values = new Float64Array(2 ** bits);
  const slotOf = (place: number): number => {
    let slot = Math.imul(place, 0x9e3779b1) >>> (32 - bits);
    while (keys[slot] !== place && keys[slot] !== -1) slot = (slot + 1) & (keys.length - 1);
    return slot;
  };
  return {
    get: (place) => {
      const slot = slotOf(place);
      return keys[slot] === place ? values[slot]! : place;
    },
    swap: (place, value) => {
      const slot = slotOf(place);
      const before = keys[slot] === place ? values[slot]! : place;
      keys[slot] = place;
      values[slot] = value;
      return before;
    },
  };
};

/** Returns the stream that the seed parts name; `(1, "a")`, `("1", "a")` and `("1a")` are three different streams. */
export const createRandom = (...seedParts: readonly (string | number)[]): Random => {
  const bits = sfc32(hash128(JSON.stringify(seedParts)));
  for (let i = 0; i < WARM_UP; i++) bits();
  let spare: number | undefined;

  const next = (): number => ((bits() >>> 5) * 2 ** 26 + (bits() >>> 6)) / 2 ** 53;

  const int = (n: number): number => {
    const limit = TWO_32 - (TWO_32 % n);
    let value = bits();
    while (value >= limit) value = bits();
    return value % n;
  };

  // Marsaglia's polar method: of the transcendental functions it needs only log, which V8 computes in software alike everywhere.
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * next() - 1;
      const y = 2 * next() - 1;
      const s = x * x + y * y;
      if (s >= 1 || s === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      spare = y * scale;
      return x * scale;
    }
  };

  // A Fisher-Yates shuffle of 0..n-1 stopped after k swaps; the table holds only the places that were swapped.
  const sampleWithoutReplacement = (n: number, k: number): Uint32Array => {
    if (k > n) throw new RangeError(`Cannot draw ${k} distinct integers of ${n}`);
    const moved = createPlaces(k);
    const drawn = new Uint32Array(k);
    for (let i = 0; i < k; i++) {
      const j = i + int(n - i);
      drawn[i] = moved.swap(j, moved.get(i)); // places before i are never asked for again
    }
    return drawn;
  };

  const shuffle = <T>(values: Shuffleable<T>): void => {
    for (let i = values.length - 1; i > 0; i--) {
      const j = int(i + 1);
      const held = values[i]!;
      values[i] = values[j]!;
      values[j] = held;
    }
  };

  return { next, int, normal, sampleWithoutReplacement, shuffle };
};
