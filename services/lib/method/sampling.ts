/** @file METHOD.md 1: random centres of training patches, per level and kind, without replacement. */
import { invalid } from "../errors.ts";
import { ascending, countSet, emptyPlane, selectSet } from "./bit-plane.ts";
import {
  type BlockContents,
  type Candidates,
  type CentreKind,
  coarserCandidates,
  coarserContents,
  finestCandidates,
  finestContents,
  type PixelClasses,
} from "./classes.ts";
import type { Annotation } from "./image.ts";
import { createRandom } from "./random.ts";

/** Centres wanted per image: three kinds at level 1, three classes at every coarser level. */
export interface SampleCounts {
  readonly positive: number;
  readonly edge: number;
  readonly background: number;
  readonly nucleus: number;
  readonly mixed: number;
  readonly none: number;
}

const FINEST_KINDS = ["positive", "edge", "background"] as const;
const COARSER_KINDS = ["nucleus", "mixed", "none"] as const;

/** What centres there are counts of: at level 1, and above. */
export const COUNTED_KINDS = [...FINEST_KINDS, ...COARSER_KINDS] as const;

/** Of an image and level: their patches, twice as many, are in memory at once when databases are built. */
const MAX_CENTRES = 400_000;

/** Throws invalidArgument SAMPLING_INVALID where a count is negative or a level's are none or too many. */
export function checkCounts(counts: SampleCounts, levels: number): void {
  for (const kind of COUNTED_KINDS) {
    if (counts[kind] < 0)
      throw invalid("SAMPLING_INVALID", `Cannot draw ${counts[kind]} ${kind} centres: give 0 or more`);
  }
  for (const kinds of levels > 1 ? [FINEST_KINDS, COARSER_KINDS] : [FINEST_KINDS]) {
    const centres = kinds.reduce((sum, kind) => sum + counts[kind], 0);
    if (centres > 0 && centres <= MAX_CENTRES) continue;
    if (centres === 0) {
      const where = kinds === FINEST_KINDS ? "level 1" : "the levels above 1";
      throw invalid("SAMPLING_INVALID", `Cannot learn ${where} from no patches: ask for ${kinds.join(", ")} centres`);
    }
    const message = `Cannot draw ${centres} centres (${kinds.join(", ")}) in each image: at most ${MAX_CENTRES} are possible`;
    throw invalid("SAMPLING_INVALID", message);
  }
}

/** The published counts; where all nuclei are annotated, background is safe to take, and more centres help (docs/accuracy.md). */
export const DEFAULT_COUNTS: Readonly<Record<Annotation, SampleCounts>> = {
  sparse: { positive: 500, edge: 500, background: 150, nucleus: 500, mixed: 500, none: 500 },
  complete: { positive: 1_500, edge: 1_000, background: 3_000, nucleus: 1_000, mixed: 1_500, none: 3_000 },
};

/** Names what `sampleCentres` draws for given counts, for patches: those that were drawn otherwise are others. */
export const SAMPLING_RULE = "none as level 1's edge and background, half edge at least";

/**
 * With complete annotation the class none of coarser levels is edge and background as level 1's centres are, 500 and 150 of the published
 * counts, but half of it is edge at least: what a coarse level takes for none beside a nucleus is lost to the cascade (docs/accuracy.md).
 */
const edgeOfNone = ({ edge, background, none }: SampleCounts): number =>
  Math.round(none * Math.max(0.5, edge / Math.max(1, edge + background)));

/** Label in lists and databases: 0 and 1 at level 1; at coarser levels 0 none, 1 mixed, 2 nucleus. */
const LABELS: Readonly<Record<CentreKind, number>> = { positive: 1, edge: 0, background: 0, nucleus: 2, mixed: 1 };

/** Returns the network's class of each label in lists and databases: level 1 knows no mixed. */
export const classesOfLabels = (level: number): number[] => (level === 1 ? [0, 2] : [0, 1, 2]);

/** Centres of one kind at one level: classified pixels in level pixels. */
export interface KindCentres {
  readonly kind: CentreKind;
  /** Label in lists and databases. */
  readonly label: number;
  readonly xs: Uint32Array;
  readonly ys: Uint32Array;
}

/** Centres of one level, kind after kind. */
export interface LevelCentres {
  /** From 1, the finest. */
  readonly level: number;
  readonly reduction: number;
  readonly kinds: readonly KindCentres[];
}

/** An image had fewer candidates of a kind than were wanted; all of them were taken. */
export interface Shortfall {
  readonly level: number;
  readonly kind: CentreKind;
  readonly wanted: number;
  readonly found: number;
}

/** Centres of a level, kind after kind, with the labels of their patches. */
export interface LabelledCentres {
  readonly xs: Uint32Array;
  readonly ys: Uint32Array;
  readonly labels: Uint8Array;
}

/** What centres are a function of, besides the classes of an image's pixels. */
export interface SamplingSettings {
  readonly annotation: Annotation;
  readonly reductions: readonly number[];
  readonly counts: SampleCounts;
  readonly seed: number | string;
  readonly imageId: string;
}

/**
 * Returns the centres of an image at every level, in row-major order within a kind, and where it had too few. What edge lacks is not made
 * up by background, nor the other way round.
 */
export const sampleCentres = (
  classes: PixelClasses,
  { annotation, reductions, counts, seed, imageId }: SamplingSettings,
): { readonly levels: LevelCentres[]; readonly shortfalls: Shortfall[] } => {
  const finer = [finestContents(classes, annotation)];
  const levels: LevelCentres[] = [];
  const shortfalls: Shortfall[] = [];
  for (const [i, reduction] of reductions.entries()) {
    const level = i + 1;
    const candidates = level === 1 ? finestCandidates(classes) : coarser(classes, finer, reduction);
    const kinds = wantedKinds(level, counts, annotation).map(({ kind, wanted }): KindCentres => {
      const pool = candidates[kind] ?? emptyPlane(0, 0);
      const found = countSet(pool);
      if (found < wanted) shortfalls.push({ level, kind, wanted, found });
      const random = createRandom("centres", seed, imageId, level, kind);
      const ranks = random.sampleWithoutReplacement(found, Math.min(wanted, found));
      return { kind, label: LABELS[kind], ...selectSet(pool, ascending(ranks, found)) };
    });
    levels.push({ level, reduction, kinds });
  }
  return { levels, shortfalls };
};

/** Joins the kinds of a level. */
export const joinKinds = (kinds: readonly KindCentres[]): LabelledCentres => {
  const count = kinds.reduce((sum, { xs }) => sum + xs.length, 0);
  const joined = { xs: new Uint32Array(count), ys: new Uint32Array(count), labels: new Uint8Array(count) };
  let at = 0;
  for (const { xs, ys, label } of kinds) {
    joined.xs.set(xs, at);
    joined.ys.set(ys, at);
    joined.labels.fill(label, at, at + xs.length);
    at += xs.length;
  }
  return joined;
};

/** Makes a level from the coarsest of the finer ones whose blocks its blocks are made of, and adds it to them. */
const coarser = (classes: PixelClasses, finer: BlockContents[], reduction: number): Candidates => {
  const base = finer.findLast((contents) => reduction % contents.reduction === 0)!;
  const contents = coarserContents(base, reduction);
  finer.push(contents);
  return coarserCandidates(classes, contents);
};

const wantedKinds = (
  level: number,
  counts: SampleCounts,
  annotation: Annotation,
): { readonly kind: CentreKind; readonly wanted: number }[] => {
  if (level === 1) {
    return [
      { kind: "positive", wanted: counts.positive },
      { kind: "edge", wanted: counts.edge },
      { kind: "background", wanted: counts.background },
    ];
  }
  const edge = annotation === "complete" ? edgeOfNone(counts) : 0;
  return [
    { kind: "nucleus", wanted: counts.nucleus },
    { kind: "mixed", wanted: counts.mixed },
    ...(annotation === "complete" ? [{ kind: "edge" as const, wanted: edge }] : []),
    { kind: "background", wanted: counts.none - edge },
  ];
};
