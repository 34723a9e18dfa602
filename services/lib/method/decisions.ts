/**
 * @file A tile's cascade as lists of what its levels decided. A level decides pixels that are open and no others, so the lists are as long
 * as what was computed; which pixels they are about follows from those of the coarser levels.
 */
import { rectAtLevel } from "./blocks.ts";
import { ACCEPTED, decide, decisionRule, type LevelCounts, type LevelRule, OPEN, REJECTED } from "./cascade.ts";
import type { Rect } from "./image.ts";
import { lowerBound, type ParentTables, parentTables } from "./parents.ts";

/** What a level decided. */
export interface LevelDecisions {
  readonly counts: LevelCounts;
  /** Of each pixel that was open before it, row by row of the tile: OPEN, REJECTED or ACCEPTED. */
  readonly decisions: Uint8Array;
  /** P2 of each of them, of 255: what results show. Every decision has been made from the number itself. */
  readonly p2: Uint8Array;
}

/** A tile on its way down the cascade. */
export interface TileDecisions {
  /** In level-1 pixels, on the block grid. */
  readonly tile: Rect;
  /** The image it is of, in level-1 pixels. */
  readonly image: { readonly width: number; readonly height: number };
  /** Of the levels that the cascade computes, coarsest first. */
  readonly reductions: readonly number[];
  /** Of levels that are done, coarsest first. */
  readonly levels: readonly LevelDecisions[];
}

/** What became of some rows of a tile's pixels, at the finest level of the cascade. */
export interface DecidedRows {
  /** Of the first row, in pixels of the tile. */
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** For each pixel a number that `describe` gave; 0 where nothing decided it. Used again for the next rows. */
  readonly plane: Uint32Array;
}

/**
 * Hands every pixel of a tile to `take`, in rows from above, as what `describe` makes of the decision that it got: a number above 0. What
 * comes of a row of the coarsest level is done together, so that next to no memory is needed.
 */
export function decidedPixels(
  { tile, image, reductions, levels }: TileDecisions,
  describe: (level: number, isAccepted: boolean, p2: number) => number,
  take: (rows: DecidedRows) => void,
): void {
  const sizes = reductions.map((reduction) => rectAtLevel(tile, reduction));
  const tables = reductions.map((reduction, place) =>
    parentTables(tile, image.width, image.height, reduction, reductions[Math.max(0, place - 1)]!),
  );
  const done = levels.map((level) => ({ ...level, next: 0 }));
  const ends = new Int32Array(reductions.length);
  const buffers = reductions.map(() => new Uint32Array(0));
  for (let top = 0; top < sizes[0]!.height; top++) {
    let rows: DecidedRows = { y: top, width: sizes[0]!.width, height: 1, plane: new Uint32Array(sizes[0]!.width) };
    for (let place = 0; place < reductions.length; place++) {
      if (place > 0) {
        const y = ends[place]!;
        const end = lowerBound(tables[place]!.rows, rows.y + rows.height);
        ends[place] = end;
        const { width } = sizes[place]!;
        const needed = width * (end - y);
        if (buffers[place]!.length < needed) buffers[place] = new Uint32Array(needed);
        const finer = { y, width, height: end - y, plane: buffers[place]!.subarray(0, needed) };
        expandRows(rows, finer, tables[place]!);
        rows = finer;
      }
      const level = done[place];
      if (level) level.next = decideRows(rows.plane, level, level.next, describe);
    }
    take(rows);
  }
}

/** Describes what a level decided of the pixels of `plane` that are 0, from a place in its list on; returns the place behind. */
function decideRows(
  plane: Uint32Array,
  { counts, decisions, p2 }: LevelDecisions,
  from: number,
  describe: (level: number, isAccepted: boolean, p2: number) => number,
): number {
  let next = from;
  for (let i = plane.indexOf(0); i >= 0; i = plane.indexOf(0, i)) {
    for (; plane[i] === 0; i++, next++) {
      const decision = decisions[next]!;
      if (decision !== OPEN) plane[i] = describe(counts.level, decision === ACCEPTED, p2[next]!);
    }
  }
  return next;
}

/** Every pixel takes its parent's number. */
function expandRows(coarser: DecidedRows, { y, width, height, plane }: DecidedRows, tables: ParentTables): void {
  const { columns, rows } = tables;
  const from = coarser.plane;
  for (let row = 0; row < height; row++) {
    const start = row * width;
    const parent = rows[y + row]!;
    if (row > 0 && rows[y + row - 1] === parent) {
      plane.copyWithin(start, start - width, start);
      continue;
    }
    const parents = (parent - coarser.y) * coarser.width;
    for (let x = 0; x < width; x++) plane[start + x] = from[parents + columns[x]!]!;
  }
}

/** Returns 1 where a pixel is open, 0 elsewhere, over the tile's pixels at the level to be computed next. */
export function openPixels(tile: TileDecisions): Uint8Array {
  const reductions = tile.reductions.slice(0, tile.levels.length + 1);
  const { width, height } = rectAtLevel(tile.tile, reductions.at(-1)!);
  const open = new Uint8Array(width * height);
  decidedPixels(
    { ...tile, reductions },
    () => 1,
    ({ y, plane }) => {
      const start = y * width;
      for (let i = 0; i < plane.length; i++) if (plane[i] === 0) open[start + i] = 1;
    },
  );
  return open;
}

/** Decides pixels of a level as they are evaluated. */
export interface Decider {
  /**
   * Takes float32 [3, N], the probabilities of all N open pixels of `rect`, `pixels` (row-major in it, ascending); `rect` is in pixels of the
   * tile. What lies in one row comes from left to right.
   */
  take(rect: Rect, pixels: Int32Array, probabilities: Float32Array): void;
  /** Returns what was decided, once all open pixels were taken. */
  finish(): LevelDecisions;
}

/** Returns what decides the `open` pixels (1, others 0) of a tile of a level that is `width` pixels wide. */
export function createDecider(open: Uint8Array, width: number, rule: LevelRule): Decider {
  const own = decisionRule(rule);
  // For each row, where in the list its next pixel comes.
  const next = new Int32Array(open.length / width);
  const computed = countRows(open, width, next);
  const decisions = new Uint8Array(computed);
  const p2 = new Uint8Array(computed);
  const seen = new Int32Array(3);
  const take: Decider["take"] = (rect, pixels, probabilities) => {
    const count = pixels.length;
    for (let i = 0; i < count; ) {
      const row = Math.floor(pixels[i]! / rect.width);
      const end = (row + 1) * rect.width;
      let to = next[rect.y + row]!;
      for (; i < count && pixels[i]! < end; i++, to++) {
        const nucleus = probabilities[2 * count + i]!;
        const decision = decide(probabilities[count + i]!, nucleus, own);
        decisions[to] = decision;
        p2[to] = 255 * nucleus + 0.5;
        seen[decision] = seen[decision]! + 1;
      }
      next[rect.y + row] = to;
    }
  };
  const finish = () => {
    const [accepted, rejected] = [seen[ACCEPTED]!, seen[REJECTED]!];
    return { counts: { level: rule.level, computed, accepted, rejected }, decisions, p2 };
  };
  return { take, finish };
}

/** Writes how many pixels are open in the rows before each; returns how many are open in all. */
function countRows(open: Uint8Array, width: number, before: Int32Array): number {
  let count = 0;
  for (let row = 0; row < before.length; row++) {
    before[row] = count;
    const line = open.subarray(row * width, (row + 1) * width);
    for (let x = line.indexOf(1); x >= 0; x = line.indexOf(1, x + 1)) {
      for (; line[x] === 1; x++) count++;
    }
  }
  return count;
}
