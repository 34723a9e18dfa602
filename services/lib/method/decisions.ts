/**
 * @file A tile's cascade as lists of what its levels decided. A level decides pixels that are open and no others, so the lists are as long
 * as what was computed; which pixels they are about follows from those of the coarser levels.
 */
import { rectAtLevel } from "./blocks.ts";
import { ACCEPTED, decisionRule, type LevelCounts, type LevelRule, OPEN, REJECTED } from "./cascade.ts";
import type { Rect } from "./image.ts";
import { expandPlane, type ParentTables, parentTables } from "./parents.ts";

/** What a level decided. */
export interface LevelDecisions {
  readonly counts: LevelCounts;
  /** Of each pixel that was open before it, row by row of the tile: OPEN, REJECTED or ACCEPTED. */
  readonly decisions: Uint8Array;
  /** P2 of each of them. */
  readonly p2: Float32Array;
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

const OPEN_PIXEL = 1;

const sizeAt = (
  { tile, reductions }: TileDecisions,
  place: number,
): { readonly width: number; readonly height: number } => rectAtLevel(tile, reductions[place]!);

const tablesTo = ({ tile, image, reductions }: TileDecisions, place: number): ParentTables =>
  parentTables(tile, image.width, image.height, reductions[place]!, reductions[place - 1]!);

/**
 * Returns 1 where a pixel is open, 0 elsewhere, over the tile's pixels at the level to be computed next; after the last one at that level.
 */
export function openPixels(tile: TileDecisions): Uint8Array {
  const { width, height } = sizeAt(tile, 0);
  let open = new Uint8Array(width * height).fill(OPEN_PIXEL);
  for (const [place, { decisions }] of tile.levels.entries()) {
    let next = 0;
    for (let i = open.indexOf(OPEN_PIXEL); i >= 0; i = open.indexOf(OPEN_PIXEL, i + 1)) {
      for (; open[i] === OPEN_PIXEL; i++) if (decisions[next++] !== OPEN) open[i] = 0;
    }
    if (place + 1 < tile.reductions.length)
      open = expandPlane(open, sizeAt(tile, place).width, tablesTo(tile, place + 1));
  }
  return open;
}

/** What a tile came to, over its pixels at the finest level of the cascade; what no level decided has 0 everywhere. */
export interface DecidedPlanes {
  readonly width: number;
  readonly height: number;
  /** For each pixel a number that `describe` gave; 0 where nothing decided it. */
  readonly plane: Uint32Array;
}

/** Returns for each pixel what `describe` makes of the decision that it got: a number above 0. */
export function decidedPixels(
  tile: TileDecisions,
  describe: (level: number, isAccepted: boolean, p2: number) => number,
): DecidedPlanes {
  const { width, height } = sizeAt(tile, 0);
  let plane = new Uint32Array(width * height);
  for (let place = 0; place < tile.reductions.length; place++) {
    if (place > 0) plane = expandPlane(plane, sizeAt(tile, place - 1).width, tablesTo(tile, place));
    const done = tile.levels[place];
    if (!done) continue;
    const { counts, decisions, p2 } = done;
    let next = 0;
    for (let i = plane.indexOf(0); i >= 0; i = plane.indexOf(0, i + 1)) {
      for (; plane[i] === 0 && i < plane.length; i++, next++) {
        const decision = decisions[next]!;
        if (decision !== OPEN) plane[i] = describe(counts.level, decision === ACCEPTED, p2[next]!);
      }
    }
  }
  return { ...sizeAt(tile, tile.reductions.length - 1), plane };
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
  const decide = decisionRule(rule);
  // For each row, where in the list its next pixel comes.
  const next = new Int32Array(open.length / width);
  const computed = countRows(open, width, next);
  const decisions = new Uint8Array(computed);
  const p2 = new Float32Array(computed);
  const seen = new Int32Array(3);
  const take: Decider["take"] = (rect, pixels, probabilities) => {
    const count = pixels.length;
    for (let i = 0; i < count; ) {
      const row = Math.floor(pixels[i]! / rect.width);
      const end = (row + 1) * rect.width;
      let to = next[rect.y + row]!;
      for (; i < count && pixels[i]! < end; i++, to++) {
        const nucleus = probabilities[2 * count + i]!;
        const decision = decide(probabilities[count + i]!, nucleus);
        decisions[to] = decision;
        p2[to] = nucleus;
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
    for (let x = line.indexOf(OPEN_PIXEL); x >= 0; x = line.indexOf(OPEN_PIXEL, x + 1)) {
      for (; line[x] === OPEN_PIXEL; x++) count++;
    }
  }
  return count;
}
