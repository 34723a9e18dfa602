/** @file Step 7: the test images segmented by cascade and by dense evaluation, graded; naive measured on a sample. */
import { join } from "node:path";
import { RegionPath } from "../lib/proto/radhical/v1/inference.ts";
import {
  type Cascade,
  SegmentationMode,
  type SegmentedImage,
  SubmitRequest,
} from "../lib/proto/radhical/v1/segmentation.ts";
import type { Model } from "../lib/proto/radhical/v1/training.ts";
import { type GetTuningResponse, GradeRequest, type Grades } from "../lib/proto/radhical/v1/tuning.ts";
import type { CohortNames } from "./cohort-names.ts";
import { runJob } from "./follow-job.ts";
import { receiveResults, removeOtherResults } from "./result-files.ts";
import { cleaningOf, levelModels, type StepContext } from "./run-steps.ts";

/** A segmentation of the test images with its grades. */
export interface GradedSegmentation {
  readonly images: readonly SegmentedImage[];
  readonly grades: Grades;
}

export interface TestResults {
  readonly dense: GradedSegmentation;
  readonly cascade: GradedSegmentation;
  /** Seconds of naive evaluation, extrapolated from a sample of each image's patches. */
  readonly naiveSeconds: number;
}

interface TestInputs {
  readonly cohortId: string;
  readonly imageIds: readonly string[];
  readonly models: readonly Model[];
  readonly tuning: GetTuningResponse;
  readonly names: CohortNames;
}

/** Side of the square of pixels per test image that the naive time is measured on. */
const SAMPLE_PX = 32;

/** Where results of test images lie. */
export const testFolder = ({ out }: { readonly out: string }): string => join(out, "test");

/** Segments and grades the test images, and writes the cascade's outputs to DIR/test. */
export async function testModels(ctx: StepContext, inputs: TestInputs): Promise<TestResults> {
  const { services, options } = ctx;
  const { models, tuning, names, imageIds } = inputs;
  const common = { models: levelModels(models), tile: 0, ...cleaningOf(options), imageMpp: options.mpp };
  const [chosen] = tuning.chosen;
  const cascade = { ...common, mode: SegmentationMode.SEGMENTATION_MODE_CASCADE, thresholds: chosen?.levels ?? [] };
  const dense = { ...common, mode: SegmentationMode.SEGMENTATION_MODE_DENSE, thresholds: tuning.dense?.levels ?? [] };
  const byCascade = await segmentAndGrade(ctx, inputs, "cascade", cascade);
  const folder = testFolder(options);
  await receiveResults(services, byCascade.segmentationId, folder, names.stem);
  await removeOtherResults(folder, new Set(imageIds.map(names.stem)));
  const byDense = await segmentAndGrade(ctx, inputs, "dense", dense);
  return { cascade: byCascade, dense: byDense, naiveSeconds: await measureNaive(ctx, byDense.images, models) };
}

async function segmentAndGrade(
  { services, output }: StepContext,
  { imageIds, cohortId }: TestInputs,
  what: string,
  cascade: Cascade,
): Promise<GradedSegmentation & { readonly segmentationId: string }> {
  const segmentationId = await runJob(services, output, {
    service: "segmentation",
    what,
    codec: SubmitRequest,
    request: { requestId: "", imageIds: [...imageIds], cascade },
    submit: (request) => services.segmentation.submit(request),
  });
  const gradesId = await runJob(services, output, {
    service: "tuning",
    what: `grades of ${what}`,
    codec: GradeRequest,
    request: { requestId: "", segmentationId, cohortId },
    submit: (request) => services.tuning.grade(request),
  });
  const { images } = await services.segmentation.getResult({ segmentationId });
  const { grades } = await services.tuning.getGrades({ gradesId });
  return {
    segmentationId,
    images,
    grades: grades ?? { detection: 0, f: 0, tpr: 0, ppv: 0, dice: 0, objectF1: 0, aji: 0, pq: 0 },
  };
}

async function measureNaive(
  { services }: StepContext,
  images: readonly SegmentedImage[],
  models: readonly Model[],
): Promise<number> {
  const level = levelModels(models).find((model) => model.level === 1);
  let seconds = 0;
  for (const { imageId, width, height } of images) {
    const side = { width: Math.min(SAMPLE_PX, width), height: Math.min(SAMPLE_PX, height) };
    const x = Math.floor((width - side.width) / 2);
    const y = Math.floor((height - side.height) / 2);
    const request = { imageId, level, x, y, ...side, path: RegionPath.REGION_PATH_PATCHES };
    await services.inference.predictRegion({ ...request, width: 1, height: 1 }); // loads the network, so that the sample does not
    const sample = await services.inference.predictRegion(request);
    seconds += (sample.seconds * width * height) / (side.width * side.height);
  }
  return seconds;
}
