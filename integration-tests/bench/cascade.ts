/**
 * @file A cascade from Submit to its result against computing the same tiles in a loop: what planning, queue, gRPC, objects and the
 * joining of tiles cost. One thread computes in both.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runJob } from "../../services/cli/follow-job.ts";
import { importModels } from "../../services/cli/model-folder.ts";
import { levelModels } from "../../services/cli/run-steps.ts";
import { openServices } from "../../services/cli/services.ts";
import { importFile } from "../../services/cli/transfer.ts";
import { levelled } from "../../services/inference/evaluate-region.ts";
import { openNetwork } from "../../services/inference/loaded-network.ts";
import { computeTileMaps } from "../../services/inference/tile-maps.ts";
import { createTilePixels } from "../../services/inference/tile-pixels.ts";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { openImage } from "../../services/lib/images/image-source.ts";
import { blockSide, tileGrid } from "../../services/lib/method/blocks.ts";
import { DEFAULT_CLEANING } from "../../services/lib/method/cleaning.ts";
import { readModel } from "../../services/lib/network/model-contents.ts";
import { ImportPurpose } from "../../services/lib/proto/radhical/v1/datasets.ts";
import { SegmentationMode, SubmitRequest } from "../../services/lib/proto/radhical/v1/segmentation.ts";
import { openRuntime } from "../../services/lib/runtime/runtime.ts";
import { type ModelFile, SILENT } from "../exactness-run.ts";
import { seededModel } from "../seeded-models.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import { type Benchmark, timed } from "./measure.ts";

const SIDE_PX = 1000;
const TILE_PX = 500;
const REDUCTIONS = [1, 2, 4, 10];

export const cascade: Benchmark = {
  name: "cascade",
  unit: "kpixel",
  ratios: [{ name: "submit to result / compute", of: "submit to result", to: "compute", by: "seconds" }],
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const services = await openServices(undefined, join(folder, "objects"), { RADHICAL_WORKERS: "1" });
    const { image } = makeTissue({ width: SIDE_PX, height: SIDE_PX, seed: 1 });
    const path = join(folder, "image.png");
    const file = await encodePng({ ...image, channels: 3 });
    await writeFile(path, file);
    const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const levels = REDUCTIONS.map((reduction, i) => seededModel(i + 1, reduction, 1));
    const models = levelModels(await importModels(services, { levels }));
    const { compute, closeRuntime } = await openLoop(file, levels);
    /** Nothing accepted, nothing rejected: every level computes every pixel. Another hole size makes it another piece of work. */
    const submitted = (round: number) => ({
      imageIds: [imageId],
      cascade: {
        models,
        thresholds: REDUCTIONS.map((_, i) => ({ level: i + 1, lower: 0, upper: undefined, final: undefined })),
        mode: SegmentationMode.SEGMENTATION_MODE_CASCADE,
        tile: TILE_PX,
        ...DEFAULT_CLEANING,
        maxHolePx: round,
        imageMpp: 0,
      },
    });
    return {
      round: async (n) => {
        const pixels = SIDE_PX ** 2 / 1000;
        const submit = () =>
          runJob(services, SILENT, {
            service: "segmentation",
            what: "cascade",
            codec: SubmitRequest,
            request: { requestId: "", ...submitted(n) },
            submit: (request) => services.segmentation.submit(request),
          });
        return { "submit to result": await timed(pixels, submit), compute: await timed(pixels, compute) };
      },
      close: async () => {
        await services.close();
        await closeRuntime();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

/** The tiles of every level one after another, with nothing around them. */
async function openLoop(file: Uint8Array, levels: readonly ModelFile[]) {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  const networks = levels.map(({ onnx }) => openNetwork(readModel(onnx), runtime));
  const image = levelled(await openImage(file), 1);
  const signal = new AbortController().signal;
  const common = { blockSide: blockSide(REDUCTIONS), open: undefined, isNaive: false, signal };
  const pixels = createTilePixels();
  const compute = async (): Promise<void> => {
    for (const tile of tileGrid(SIDE_PX, SIDE_PX, TILE_PX)) {
      for (const [i, reduction] of REDUCTIONS.entries()) {
        const progress = async (): Promise<void> => undefined;
        const read = await pixels.level({ imageId: "bench", image, tile, reductions: REDUCTIONS }, reduction);
        await computeTileMaps({ ...common, read, tile, reduction, network: networks[i]!, progress });
      }
    }
  };
  return { compute, closeRuntime: () => runtime.close() };
}
