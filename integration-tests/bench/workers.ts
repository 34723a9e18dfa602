/**
 * @file Tiles and images per second with 1, 2 and 4 worker processes on real Kafka and S3. Each process has one core, the next one's, and
 * so shares it where there are fewer cores than processes. Broker, store and coordinators run beside them on the same cores: where these
 * are few, the processor time that a tile takes of its workers says more, which is the same whatever their number if none hinders another.
 */
import { availableParallelism } from "node:os";
import { runJob } from "../../services/cli/follow-job.ts";
import { DEFAULT_COUNTS } from "../../services/lib/method/sampling.ts";
import { ExtractRequest } from "../../services/lib/proto/radhical/v1/extraction.ts";
import { SILENT } from "../exactness-run.ts";
import { temporaryFolder } from "../radhical-command.fixture.ts";
import { importTissueCohort } from "../rpc-jobs.fixture.ts";
import type { Serving } from "../serving.fixture.ts";
import { type BenchDeployment, cpuSeconds, openDeployment, stopServing } from "./deployment.ts";
import { openTileBench } from "./distributed-tiles.ts";
import { type Benchmark, type OpenBenchmark, type Timing, timed } from "./measure.ts";

const PROCESSES = [1, 2, 4];
const TILE_PX = 500;
const nameOf = (count: number): string => (count === 1 ? "1 process" : `${count} processes`);
const cpuOf = (count: number): string => `${nameOf(count)}, CPU`;

const ratios = (unit: string): Benchmark["ratios"] =>
  PROCESSES.slice(1).flatMap((count) => [
    {
      name: `${unit}s/s, ${count} / 1 processes${count > availableParallelism() ? ` on ${availableParallelism()} cores` : ""}`,
      of: nameOf(count),
      to: nameOf(1),
      by: "rate" as const,
    },
    { name: `  their CPU, ${count} / 1 processes`, of: cpuOf(count), to: cpuOf(1), by: "seconds" as const },
  ]);

/** The same work by the clock, and by the processor time of the processes. */
interface Measured {
  readonly wall: Timing;
  readonly cpu: Timing;
}

async function measured(servings: readonly Serving[], work: () => Promise<Timing>): Promise<Measured> {
  const total = async (): Promise<number> =>
    (await Promise.all(servings.map(cpuSeconds))).reduce((sum, seconds) => sum + seconds, 0);
  const before = await total();
  const wall = await work();
  return { wall, cpu: { amount: wall.amount, seconds: (await total()) - before } };
}

/** Tiles per second. */
export const workers: Benchmark = {
  name: "workers",
  unit: "tile",
  onlyByName: true,
  ratios: ratios("tile"),
  open: ({ small }) =>
    withDeployment(async (deployment) => {
      const bench = await openTileBench(deployment, small ? 1_500 : 4_000);
      return async (count) => {
        const servings = await startProcesses(deployment, "inference", count);
        try {
          // Once for every process to have its networks.
          await bench.segment(TILE_PX);
          return await measured(servings, async () => {
            const { tiles, seconds } = await bench.segment(TILE_PX);
            return { amount: tiles, seconds };
          });
        } finally {
          await stopServing(servings);
        }
      };
    }),
};

/** Images per second through extraction. */
export const ingestion: Benchmark = {
  name: "ingestion",
  unit: "image",
  onlyByName: true,
  ratios: ratios("image"),
  open: ({ small }) =>
    withDeployment(async (deployment) => {
      const { address } = await deployment.serve(["datasets"]);
      const images = small ? 8 : 48;
      const folder = await temporaryFolder(deployment);
      const size = { patients: images, size: 256, seed: 5 };
      const cohortId = await importTissueCohort(await deployment.clients({ datasets: address }), folder, size);
      let seed = 0n;
      return async (count) => {
        const servings = await startProcesses(deployment, "extraction", count);
        try {
          const services = await deployment.clients({ extraction: servings[0]?.address ?? "", datasets: address });
          const extract = async (): Promise<void> => {
            const sampling = { reductions: [1, 2, 4, 10], seed: ++seed, ...DEFAULT_COUNTS.complete };
            await runJob(services, SILENT, {
              service: "extraction",
              what: "patches",
              codec: ExtractRequest,
              request: { requestId: "", cohortId, sampling },
              submit: (request) => services.extraction.extract(request),
            });
          };
          await extract();
          return await measured(servings, () => timed(images, extract));
        } finally {
          await stopServing(servings);
        }
      };
    }),
};

async function withDeployment(
  prepare: (deployment: BenchDeployment) => Promise<(count: number) => Promise<Measured>>,
): Promise<OpenBenchmark> {
  const deployment = await openDeployment();
  try {
    const run = await prepare(deployment);
    return {
      round: async (n) => {
        const timings: Record<string, Timing> = {};
        // Every count of processes has had its first run before it is timed.
        for (const count of n === 0 ? [] : PROCESSES) {
          const { wall, cpu } = await run(count);
          timings[nameOf(count)] = wall;
          timings[cpuOf(count)] = cpu;
        }
        return timings;
      },
      close: deployment.close,
    };
  } catch (error) {
    await deployment.close();
    throw error;
  }
}

const startProcesses = (deployment: BenchDeployment, service: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, core) => deployment.serve([service], core)));
