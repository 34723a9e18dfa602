/** @file Cuts the patches of one decoded image, level by level, each into its shard. */
import type { MaskKind } from "../lib/method/image.ts";
import { reduceImages } from "../lib/method/levels.ts";
import { countNuclei } from "../lib/method/nuclei.ts";
import type { RowCopier } from "../lib/method/row-copier.ts";
import { type KindCentres, type SamplingRequest, type Shortfall, sampleCentres } from "../lib/method/sampling.ts";
import { cutShard, type LabelledCentres, type ShardPlace } from "../lib/patches/cut-shard.ts";

/** An image to cut, and how its mask's values are to be read. */
export interface CutRequest extends SamplingRequest {
  readonly maskKind: MaskKind;
}

/** What is known of an image when all its levels are cut. */
export interface CutImage {
  readonly shortfalls: readonly Shortfall[];
  /** Annotated nuclei that are graded. */
  readonly nuclei: number;
}

/** What was cut at a level. */
export interface CutLevel {
  /** From 1, the finest. */
  readonly level: number;
  /** One per centre. */
  readonly labels: Uint8Array;
  /** Where the shard lies in the copier's memory. */
  readonly place: ShardPlace;
}

/**
 * Yields what was cut at each level and returns what is known of the image. Each level's shard takes the last one's place, for all
 * levels' are 110 MB with the default counts of complete annotation.
 */
export function* cutImage(copier: RowCopier, request: CutRequest): Generator<CutLevel, CutImage> {
  const { image, imageId, reductions, labels, maskKind } = request;
  const { levels, shortfalls } = sampleCentres(request);
  const levelImages = reduceImages(image, reductions);
  for (const [i, { level, kinds }] of levels.entries()) {
    const centres = joinKinds(kinds);
    const place = cutShard(copier, copier.start, imageId, levelImages[i]!, centres);
    yield { level, labels: centres.labels, place };
  }
  return { shortfalls, nuclei: countNuclei(labels, image.width, image.height, maskKind) };
}

/** Kind after kind. */
const joinKinds = (kinds: readonly KindCentres[]): LabelledCentres => {
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
