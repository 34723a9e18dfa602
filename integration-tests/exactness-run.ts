/**
 * @file The exactness checks through the real services: images go in by import, maps and masks come out of jobs. The services stop in
 * between, so that the maps can be read from the object folder, which no RPC hands out.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runJob } from "../services/cli/follow-job.ts";
import { importModels } from "../services/cli/model-folder.ts";
import type { Output } from "../services/cli/output.ts";
import { levelModels } from "../services/cli/run-steps.ts";
import { openServices, type Services } from "../services/cli/services.ts";
import { importFile, inside, receiveFiles } from "../services/cli/transfer.ts";
import { type ImageSource, openImage } from "../services/lib/images/image-source.ts";
import { blockSide } from "../services/lib/method/blocks.ts";
import { DEFAULT_CLEANING } from "../services/lib/method/cleaning.ts";
import type { RgbImage } from "../services/lib/method/image.ts";
import { levelSize } from "../services/lib/method/levels.ts";
import { normalisationTable, normalise, stainDensity } from "../services/lib/method/normalisation.ts";
import { createRandom } from "../services/lib/method/random.ts";
import type { MappedImage } from "../services/lib/method/simulation.ts";
import { openFolderStore } from "../services/lib/objects/folder-store.ts";
import { ImportPurpose } from "../services/lib/proto/radhical/v1/datasets.ts";
import { EvaluateRequest, type LevelModel, RegionPath } from "../services/lib/proto/radhical/v1/inference.ts";
import { SegmentationMode, SubmitRequest } from "../services/lib/proto/radhical/v1/segmentation.ts";
import { thresholdMessages } from "../services/lib/service/cascade-plan.ts";
import { readMap } from "../services/lib/service/map-keys.ts";
import { floatsOf } from "../services/lib/service/number-bytes.ts";
import {
  type CascadeRun,
  type Comparison,
  checkCascade,
  checkDense,
  checkLevels,
  checkParents,
  checkTileSizes,
  type Lines,
  openingThresholds,
  type PatchRegion,
  sampledRegions,
  type TiledCascade,
} from "./exactness.ts";
import { checkSparseAll } from "./exactness-sparse.ts";

/** A model as a run's folder holds it. */
export interface ModelFile {
  readonly onnx: Uint8Array;
  readonly manifest: string;
}

export interface ExactnessOptions {
  /** Image files and what to call them. */
  readonly images: readonly { readonly name: string; readonly path: string }[];
  /** One per level, finest first. */
  readonly models: readonly ModelFile[];
  /** Thresholds that tuning chose for these models, and the cleaning it chose them with: the cascade is checked by them too. */
  readonly tuned?: Pick<CascadeRun, "thresholds" | "cleaning"> | undefined;
  /** A folder for the objects, new or of an earlier check of the same. */
  readonly folder: string;
  /** Random rows, and columns, of each large level that are compared with patches. */
  readonly lines: Lines;
}

interface Subject {
  readonly name: string;
  readonly imageId: string;
  readonly source: ImageSource;
  /** As networks see it. */
  readonly normalised: ImageSource;
  readonly whole: RgbImage;
}

interface Context extends ExactnessOptions {
  readonly subjects: readonly Subject[];
  readonly levels: readonly LevelModel[];
  readonly reductions: readonly number[];
  /** Sides of tiles in level-1 pixels: one, two and four blocks. */
  readonly tiles: readonly number[];
}

const SEED = 1;
const nothing = (): void => undefined;
/** Output of jobs that nobody watches. */
export const SILENT: Output = { step: nothing, progress: nothing, note: nothing, result: nothing, failure: nothing };

/** Runs all checks on all images. */
export async function runExactness(options: ExactnessOptions): Promise<Comparison[]> {
  const { ctx, patches } = await withServices(options, async (services) => {
    const opened = await importAll(services, options);
    await evaluateAll(services, opened);
    for (const { from } of coarserEndings(opened)) await evaluateAll(services, from);
    return { ctx: opened, patches: await predictPatches(services, opened) };
  });
  const { subjects, reductions } = ctx;
  const maps = await readMaps(ctx);
  const largestTiles = maps.map((byTile) => byTile.at(-1)!);
  const thresholds = openingThresholds(largestTiles, reductions.length);
  const opening = { by: "opening thresholds", reductions, thresholds, endsAt: 1, cleaning: DEFAULT_CLEANING };
  const tuned = options.tuned && { by: "tuned thresholds", reductions, endsAt: 1, ...options.tuned };
  const runs = tuned ? [opening, tuned] : [opening];
  const cascades = await withServices(options, async (services) => {
    const byRun: TiledCascade[][][] = [];
    for (const run of runs) byRun.push(await segmentAll(services, ctx, run));
    return byRun;
  });
  const comparisons = await checkSparseAll(options.models, subjects, largestTiles, reductions);
  for (const ending of coarserEndings(ctx)) comparisons.push(...(await checkCoarser(ctx, ending)));
  for (const [i, { name, source, whole }] of subjects.entries()) {
    const mapped = largestTiles[i]!;
    comparisons.push(
      ...checkDense(name, mapped, reductions, patches[i]!),
      await checkLevels(name, source, whole, reductions),
      checkTileSizes(name, maps[i]!),
      ...runs.flatMap((run, of) => checkCascade(name, mapped, run, cascades[of]![i]!)),
      checkParents(name, whole.width, whole.height, reductions),
    );
  }
  return comparisons;
}

/** Simulations know level-1 pixels, of an image whose own are level 4's a hundred times as many: images with more are not checked there. */
const MAX_SIMULATED_PX = 100e6;

/** Images that have no finer level than `endsAt`. */
interface CoarserEnding {
  readonly endsAt: number;
  /** What they are evaluated by: their own pixels are that level's, so to their own models they are a first level. */
  readonly from: Context;
}

/** The ends beyond level 1 that can be checked: from where on all levels are whole multiples of the first, for maps know no others. */
function coarserEndings(ctx: Context): CoarserEnding[] {
  return ctx.levels.slice(1).flatMap((own) => {
    const levels = ctx.levels.slice(own.level - 1).map((model) => ({
      ...model,
      level: model.level - own.level + 1,
      reduction: model.reduction / own.reduction,
    }));
    const reductions = levels.map(({ reduction }) => reduction);
    if (!reductions.every(Number.isInteger)) return [];
    const isSmall = ({ whole }: Subject): boolean =>
      whole.width * whole.height * own.reduction ** 2 <= MAX_SIMULATED_PX;
    const subjects = ctx.subjects.filter(isSmall);
    if (subjects.length === 0) return [];
    return [{ endsAt: own.level, from: { ...ctx, subjects, levels, reductions, tiles: [blockSide(reductions)] } }];
  });
}

/** The same images taken as of a coarser level's resolution: the cascade ends there. */
async function checkCoarser(ctx: Context, { endsAt, from }: CoarserEnding): Promise<Comparison[]> {
  const { reductions } = ctx;
  const { subjects } = from;
  const n = reductions[endsAt - 1]!;
  const finer = Array.from({ length: endsAt - 1 }, () => new Float32Array(0));
  const mapped = (await readMaps(from)).map(([own]) => ({
    width: n * own!.width,
    height: n * own!.height,
    maps: [...finer, ...own!.maps],
  }));
  const thresholds = openingThresholds(mapped, reductions.length, endsAt);
  const run = { by: "opening thresholds", reductions, thresholds, endsAt, cleaning: DEFAULT_CLEANING };
  const tiles = ctx.tiles.slice(0, 1);
  const cascades = await withServices(ctx, (services) => segmentAll(services, { ...ctx, subjects, tiles }, run));
  return subjects.flatMap(({ name }, i) => checkCascade(name, mapped[i]!, run, cascades[i]!));
}

async function withServices<T>({ folder }: ExactnessOptions, work: (services: Services) => Promise<T>): Promise<T> {
  const services = await openServices(undefined, folder, {});
  try {
    return await work(services);
  } finally {
    await services.close();
  }
}

async function importAll(services: Services, options: ExactnessOptions): Promise<Context> {
  const levels = levelModels(await importModels(services, { levels: options.models }));
  const subjects: Subject[] = [];
  for (const { name, path } of options.images) {
    const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    if (subjects.some((other) => other.imageId === imageId)) continue; // a copy of a file: the services know it as one
    const file = await readFile(path);
    const source = await openImage(file);
    const whole = await source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
    const table = normalisationTable(stainDensity(whole));
    const normalised = await openImage(file, undefined, (image) => normalise(image, table));
    subjects.push({ name, imageId, source, normalised, whole });
  }
  const reductions = levels.map(({ reduction }) => reduction);
  const side = blockSide(reductions);
  return { ...options, subjects, levels, reductions, tiles: [side, 2 * side, 4 * side] };
}

async function evaluateAll(services: Services, { subjects, levels, tiles }: Context): Promise<void> {
  const imageIds = subjects.map(({ imageId }) => imageId);
  for (const tile of tiles) {
    await runJob(services, SILENT, {
      service: "inference",
      what: "maps",
      codec: EvaluateRequest,
      request: { requestId: "", imageIds, levels: [...levels], tile },
      submit: (request) => services.inference.evaluate(request),
    });
  }
}

/** Index = subject. */
async function predictPatches(services: Services, ctx: Context): Promise<PatchRegion[][]> {
  const random = createRandom("exactness", SEED);
  const all: PatchRegion[][] = [];
  for (const { imageId, whole } of ctx.subjects) {
    const regions: PatchRegion[] = [];
    for (const level of ctx.levels) {
      const [width, height] = [whole.width, whole.height].map((px) => levelSize(px, level.reduction));
      for (const region of sampledRegions(width!, height!, ctx.tiles[0]! / level.reduction, ctx.lines, random)) {
        const request = { imageId, level, ...region, path: RegionPath.REGION_PATH_PATCHES };
        const { probabilities } = await services.inference.predictRegion(request);
        regions.push({ level: level.level, region, probabilities: floatsOf(probabilities) });
      }
    }
    all.push(regions);
  }
  return all;
}

/** Index = subject, then tile size. */
async function readMaps({ folder, subjects, levels, reductions, tiles }: Context): Promise<MappedImage[][]> {
  const objects = await openFolderStore(folder);
  try {
    const all: MappedImage[][] = [];
    for (const { imageId, whole } of subjects) {
      const { width, height } = whole;
      const byTile: MappedImage[] = [];
      for (const tile of tiles) {
        const maps: Float32Array[] = [];
        for (const level of levels)
          maps.push(await readMap(objects, { imageId, level, reductions, tile }, width, height));
        byTile.push({ width, height, maps });
      }
      all.push(byTile);
    }
    return all;
  } finally {
    await objects.close();
  }
}

/** Index = subject, then tile size. Images are taken as of the resolution of the level that the cascade is to end at. */
async function segmentAll(
  services: Services,
  ctx: Context,
  { by, thresholds, endsAt, cleaning }: CascadeRun,
): Promise<TiledCascade[][]> {
  const imageIds = ctx.subjects.map(({ imageId }) => imageId);
  const { mpp, reduction } = ctx.levels[endsAt - 1]!;
  const all = ctx.subjects.map((): TiledCascade[] => []);
  for (const tile of ctx.tiles) {
    const cascade = {
      models: [...ctx.levels],
      thresholds: thresholdMessages(thresholds),
      mode: SegmentationMode.SEGMENTATION_MODE_CASCADE,
      tile,
      ...cleaning,
      imageMpp: endsAt === 1 ? 0 : mpp * reduction,
    };
    const segmentationId = await runJob(services, SILENT, {
      service: "segmentation",
      what: "cascade",
      codec: SubmitRequest,
      request: { requestId: "", imageIds, cascade },
      submit: (request) => services.segmentation.submit(request),
    });
    const results = join(ctx.folder, "..", `${by}-ending-at-${endsAt}-tile-${tile}`);
    await receiveFiles(services.segmentation.fetchResult({ segmentationId, imageIds: [] }), inside(results));
    const { images } = await services.segmentation.getResult({ segmentationId });
    for (const [i, { imageId }] of ctx.subjects.entries()) {
      const counts = images.find((image) => image.imageId === imageId)?.levels ?? [];
      all[i]!.push({
        mask: await readMask(join(results, `${imageId}_mask.png`)),
        counts: counts.map(({ level, computed, accepted, rejected }) => ({
          level,
          computed: Number(computed),
          accepted: Number(accepted),
          rejected: Number(rejected),
        })),
      });
    }
  }
  return all;
}

/** Returns 0/1 per pixel of a 0/255 grey PNG; any other value stays as it is, so that it differs. */
async function readMask(path: string): Promise<Uint8Array> {
  const source = await openImage(await readFile(path));
  const { data } = await source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
  return Uint8Array.from({ length: data.length / 3 }, (_, i) => (data[3 * i] === 255 ? 1 : data[3 * i]!));
}
