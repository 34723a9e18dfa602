/** @file `radhical doctor`: does what the product needs work on this machine? Every check does the real thing, on a small scale. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, freemem, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { startEmbedded } from "../embedded/embedded.ts";
import { encodePng } from "../lib/images/encode-png.ts";
import { openImage } from "../lib/images/image-source.ts";
import { DEFAULT_NETWORK } from "../lib/network/network-description.ts";
import { initialParameters } from "../lib/network/parameters.ts";
import { patchGraph } from "../lib/network/patch-graph.ts";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { readConfig } from "../lib/service/config.ts";
import { createLogger } from "../lib/service/log.ts";
import { openPlatform } from "../lib/service/platform.ts";
import { ALL_TOPICS } from "../lib/service/topics.ts";
import type { Output } from "./output.ts";

type Environment = Readonly<Record<string, string | undefined>>;

interface Check {
  readonly name: string;
  /** Returns what was found; throws what is wrong. */
  readonly run: () => Promise<string>;
}

const GIB = 2 ** 30;

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-doctor-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkRuntime(env: Environment): Promise<string> {
  const { device } = readConfig(env).runtime;
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device });
  try {
    const session = await runtime.session(
      patchGraph({
        network: DEFAULT_NETWORK,
        members: [initialParameters(DEFAULT_NETWORK, 1)],
        channelMeans: new Float32Array(3),
      }),
    );
    await session.run({ patches: { type: "uint8", dims: [1, 3, 32, 32], data: new Uint8Array(3072) } });
    const { computeClass, passedOver } = runtime;
    return passedOver === undefined
      ? computeClass
      : `${computeClass}; a GPU seems to be there but is not used: ${passedOver}`;
  } finally {
    await runtime.close();
  }
}

async function checkImages(): Promise<string> {
  const png = await encodePng({ width: 2, height: 2, channels: 3, data: new Uint8Array(12) });
  const { width, height } = await openImage(png);
  return `PNG of ${width}x${height} written and read`;
}

async function checkDeployment(env: Environment): Promise<string> {
  return withFolder(async (folder) => {
    const config = readConfig({ ...env, RADHICAL_OBJECTS: folder });
    const platform = await openPlatform(config, createLogger("doctor", "silent"));
    try {
      await platform.objects.head("doctor");
      await platform.queue.requireTopics(ALL_TOPICS.map(({ name }) => name));
    } finally {
      await platform.stop();
    }
    return `objects: ${config.objects.kind}, queue: ${config.queue.kind}`;
  });
}

const checks = (env: Environment): Check[] => [
  {
    name: "node",
    run: async () => {
      if (Number(process.versions.node.split(".")[0]) < 20)
        throw new Error(`${process.versions.node}; install Node 20 or newer`);
      return process.versions.node;
    },
  },
  {
    name: "machine",
    run: async () =>
      `${availableParallelism()} cores, ${(freemem() / GIB).toFixed(1)} of ${(totalmem() / GIB).toFixed(1)} GiB free`,
  },
  { name: "ONNX Runtime", run: () => checkRuntime(env) },
  { name: "images", run: checkImages },
  {
    name: "services",
    run: () =>
      withFolder(async (folder) => {
        const { address, services } = await startEmbedded(folder, { ...env, RADHICAL_DEVICE: "cpu" }); // the device has its own check
        await services.stop();
        return `all started on ${address} and stopped`;
      }),
  },
  { name: "serve settings", run: () => checkDeployment(env) },
];

/** Runs every check, with the settings in `env`, and prints what it found. Returns whether all passed. */
export async function doctor(output: Output, env: Environment): Promise<boolean> {
  const results: { name: string; ok: boolean; found: string }[] = [];
  for (const { name, run } of checks(env)) {
    const result = await run().then(
      (found) => ({ name, ok: true, found }),
      (error: unknown) => ({ name, ok: false, found: error instanceof Error ? error.message : String(error) }),
    );
    results.push(result);
  }
  const lines = results.map(({ name, ok, found }) => `${ok ? "ok  " : "FAIL"} ${name.padEnd(15)} ${found}`);
  output.result(lines.join("\n"), results);
  return results.every(({ ok }) => ok);
}
