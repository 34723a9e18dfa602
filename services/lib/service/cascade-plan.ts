/** @file A cascade as its levels are walked: checked once where it is submitted, read alike wherever it is worked on. */
import { invalid } from "../errors.ts";
import { blockSide, checkReductions, checkTile, defaultTile } from "../method/blocks.ts";
import { type CascadeThresholds, checkThresholds, type LevelThresholds } from "../method/cascade.ts";
import { isPossibleMpp, MPP_RANGE, resolutionOf } from "../method/resolution.ts";
import type { LevelModel } from "../proto/radhical/v1/inference.ts";
import { type Cascade, SegmentationMode } from "../proto/radhical/v1/segmentation.ts";
import type { LevelThresholds as LevelThresholdsMessage } from "../proto/radhical/v1/tuning.ts";
import { MAX_LEVELS } from "./topics.ts";

export interface CascadePlan {
  /** Levels to compute, coarsest first. */
  readonly levels: readonly LevelModel[];
  /** The finest of them. */
  readonly endsAt: number;
  /** Reductions of all levels, finest first: they fix the block grid. */
  readonly reductions: readonly number[];
  readonly thresholds: CascadeThresholds;
  /** Level-1 pixels. */
  readonly tile: number;
  readonly blockSide: number;
  readonly isNaive: boolean;
  /** Level-1 pixels per pixel of the image; another than 1 where the image has another resolution than the models. */
  readonly scale: number;
  /** Micrometres per pixel that the image is taken at. */
  readonly mpp: number;
}

const MODES: ReadonlySet<SegmentationMode> = new Set([
  SegmentationMode.SEGMENTATION_MODE_CASCADE,
  SegmentationMode.SEGMENTATION_MODE_DENSE,
  SegmentationMode.SEGMENTATION_MODE_NAIVE,
]);

/** Returns thresholds as the method takes them, index = level - 1. */
function thresholdsOf(messages: readonly LevelThresholdsMessage[]): LevelThresholds[] {
  const thresholds: LevelThresholds[] = [];
  const stray = messages.find(({ level }) => level < 1 || level > MAX_LEVELS);
  if (stray)
    throw invalid("THRESHOLDS_INVALID", `Cannot use thresholds of level ${stray.level}: levels are 1 to ${MAX_LEVELS}`);
  for (const { level, lower, upper, final } of messages) {
    if (thresholds[level - 1])
      throw invalid("THRESHOLDS_INVALID", `Cannot use two sets of thresholds for level ${level}; give one`);
    thresholds[level - 1] = { lower, upper, final };
  }
  return Array.from(thresholds, (entry) => entry ?? {});
}

/** Returns thresholds as messages carry them. */
export const thresholdMessages = (thresholds: CascadeThresholds): LevelThresholdsMessage[] =>
  thresholds.map(({ lower, upper, final }, i) => ({ level: i + 1, lower, upper, final }));

/** Returns models sorted from the finest; throws LEVELS_INVALID unless they are levels 1, 2, … without a gap. */
export function checkLevels(models: readonly LevelModel[]): LevelModel[] {
  const sorted = models.toSorted((a, b) => a.level - b.level);
  const hasGap = sorted.some(({ level }, i) => level !== i + 1);
  if (sorted.length === 0 || hasGap || sorted.length > MAX_LEVELS) {
    const given = sorted.map(({ level }) => level).join(", ");
    throw invalid(
      "LEVELS_INVALID",
      `Cannot use models of levels "${given}": give one for each level from 1, at most ${MAX_LEVELS}`,
    );
  }
  checkReductions(sorted.map(({ reduction }) => reduction));
  const resolutions = [...new Set(sorted.map(({ mpp }) => mpp))];
  if (resolutions.length > 1 || !((resolutions[0] ?? 0) > 0)) {
    throw invalid(
      "MPP_MIXED",
      `Cannot use models of ${resolutions.join(" and ")} um/px together: train them on one cohort`,
    );
  }
  return sorted;
}

/** Returns the side of a tile; 0 asks for the default. Throws TILE_INVALID. */
export function tileSide(tile: number, reductions: readonly number[]): number {
  if (tile === 0) return defaultTile(reductions);
  checkTile(tile, reductions);
  return tile;
}

/**
 * Returns the plan of a cascade. Throws LEVELS_INVALID, MPP_MIXED, REDUCTIONS_INVALID, TILE_INVALID, THRESHOLDS_INVALID, MPP_INVALID,
 * RESOLUTION_TOO_COARSE or MODE_MISSING.
 */
export function planCascade(cascade: Cascade): CascadePlan {
  const models = checkLevels(cascade.models);
  const reductions = models.map(({ reduction }) => reduction);
  const thresholds = thresholdsOf(cascade.thresholds);
  if (!MODES.has(cascade.mode)) throw invalid("MODE_MISSING", "Cannot segment without a mode: cascade, dense or naive");
  if (cascade.imageMpp !== 0 && !isPossibleMpp(cascade.imageMpp))
    throw invalid("MPP_INVALID", `Cannot use images of ${cascade.imageMpp} um/px: give ${MPP_RANGE}`);
  const modelMpp = models[0]?.mpp ?? 0;
  const mpp = cascade.imageMpp === 0 ? modelMpp : cascade.imageMpp;
  const { scale, finest } = resolutionOf(mpp, modelMpp, reductions);
  const usable = models.slice(finest - 1);
  const levels = cascade.mode === SegmentationMode.SEGMENTATION_MODE_CASCADE ? usable.toReversed() : usable.slice(0, 1);
  checkThresholds(thresholds, levels[0]?.level ?? 1, finest);
  return {
    levels,
    endsAt: finest,
    reductions,
    thresholds,
    tile: tileSide(cascade.tile, reductions),
    blockSide: blockSide(reductions),
    isNaive: cascade.mode === SegmentationMode.SEGMENTATION_MODE_NAIVE,
    scale,
    mpp,
  };
}
