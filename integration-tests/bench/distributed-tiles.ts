/** @file Tiles on a real deployment: an image and models to compute them with, and the job watched from outside, by what it stores. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { importModels } from "../../services/cli/model-folder.ts";
import { levelModels } from "../../services/cli/run-steps.ts";
import type { Services } from "../../services/cli/services.ts";
import { importFile } from "../../services/cli/transfer.ts";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { DEFAULT_CLEANING } from "../../services/lib/method/cleaning.ts";
import type { ObjectStore } from "../../services/lib/objects/object-store.ts";
import { ImportPurpose } from "../../services/lib/proto/radhical/v1/datasets.ts";
import type { LevelModel } from "../../services/lib/proto/radhical/v1/inference.ts";
import { type Job, JobState } from "../../services/lib/proto/radhical/v1/jobs.ts";
import { SegmentationMode, type SegmentedImage } from "../../services/lib/proto/radhical/v1/segmentation.ts";
import { temporaryFolder } from "../radhical-command.fixture.ts";
import { seededModel } from "../seeded-models.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import type { BenchDeployment } from "./deployment.ts";

const REDUCTIONS = [1, 2, 4, 10];
const POLL_MS = 50;

/** A deployment without inference workers, with an image to segment. */
export interface TileBench {
  /** Segments the image in tiles of `tile` level-1 pixels (0: the default) and computes every pixel at every level. */
  segment(tile: number): Promise<SegmentedTiles>;
}

/** What a job was seen to do. */
export interface SegmentedTiles {
  readonly tiles: number;
  /** From Submit until every tile has its record. */
  readonly seconds: number;
  readonly image: SegmentedImage | undefined;
  /** Keys below the image's segmentation that were there at any time. */
  readonly keys: ReadonlySet<string>;
}

/** Starts coordinators and whatever imports, and imports. */
export async function openTileBench(deployment: BenchDeployment, sidePx: number): Promise<TileBench> {
  const addresses = {
    segmentation: (await deployment.serve(["segmentation"])).address,
    datasets: (await deployment.serve(["datasets"])).address,
    training: (await deployment.serve(["training"])).address,
  };
  const services = await deployment.clients(addresses);
  const path = join(await temporaryFolder(deployment), "image.png");
  const { image } = makeTissue({ width: sidePx, height: sidePx, seed: 3 });
  await writeFile(path, await encodePng({ ...image, channels: 3 }));
  const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
  const levels = REDUCTIONS.map((reduction, i) => seededModel(i + 1, reduction, 1));
  const models = levelModels(await importModels(services, { levels }));
  let jobs = 0;
  return {
    segment: (tile) => {
      jobs++;
      // Another hole size makes it another piece of work.
      return segmentOnce(services, deployment.store, { imageId, models, tile, maxHolePx: jobs });
    },
  };
}

interface Piece {
  readonly imageId: string;
  readonly models: LevelModel[];
  readonly tile: number;
  readonly maxHolePx: number;
}

async function segmentOnce(
  services: Services,
  store: ObjectStore,
  { imageId, models, tile, maxHolePx }: Piece,
): Promise<SegmentedTiles> {
  const before = new Set<string>();
  for await (const { key } of store.list("segmentations/")) before.add(key);
  const thresholds = REDUCTIONS.map((_, i) => ({ level: i + 1, lower: 0, upper: undefined, final: undefined }));
  const mode = SegmentationMode.SEGMENTATION_MODE_CASCADE;
  const cascade = { models, thresholds, mode, tile, ...DEFAULT_CLEANING, maxHolePx, imageMpp: 0 };
  const startedMs = performance.now();
  const { job } = await services.segmentation.submit({ requestId: `bench ${maxHolePx}`, imageIds: [imageId], cascade });
  if (!job) throw new Error("The service answered without a job");
  const keys = new Set<string>();
  let endedMs: number | undefined;
  for (let ended: Job | undefined; !ended; ) {
    await sleep(POLL_MS);
    for await (const { key } of store.list("segmentations/")) if (!before.has(key)) keys.add(key);
    const tiles = [...keys].filter((key) => key.includes("/tiles/")).length;
    if (tiles >= Number(job.total)) endedMs ??= performance.now();
    const now = (await services.jobs("segmentation").getJob({ jobId: job.id })).job;
    if (now?.state === JobState.JOB_STATE_FAILED) throw new Error(`The job failed: ${now.reason}`);
    if (now?.state === JobState.JOB_STATE_SUCCEEDED) ended = now;
  }
  const { images } = await services.segmentation.getResult({ segmentationId: job.resultId });
  const seconds = ((endedMs ?? performance.now()) - startedMs) / 1_000;
  return { tiles: Number(job.total), seconds, image: images[0], keys };
}

/** Levels that each tile goes through. */
export const LEVELS = REDUCTIONS.length;
