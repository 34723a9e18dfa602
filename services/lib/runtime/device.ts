/** @file Decides where graphs run by running one there: a device counts as present when its results are right. */
import { DomainError } from "../errors.ts";
import { cudaObstacles, howToGetCuda } from "./cuda-library.ts";
import { PROBE_INPUT, PROBE_TOLERANCE, probeModel, probeOutput } from "./probe-model.ts";
import type { Device, Provider } from "./provider.ts";
import { float32Data } from "./tensor.ts";
import { startWorker } from "./worker-client.ts";

/** What is needed besides ONNX Runtime's own library. */
const CURES: { readonly [Gpu in Exclude<Provider, "cpu">]: () => string } = {
  cuda: howToGetCuda,
  webgpu: () =>
    "it needs a Vulkan loader (Debian: libvulkan1) and the GPU's Vulkan driver; deploy/local/lavapipe gets a driver in software",
};

/** Where graphs run. */
export interface ChosenProvider {
  readonly provider: Provider;
  /** Why a GPU that seems to be there is not used: nobody asked for it by name, but its owner will want to know. */
  readonly passedOver?: string;
}

/**
 * Returns the provider for `device`. `auto` is CUDA where its library and a device are there and the probe passes, else the CPU.
 * Throws failedPrecondition DEVICE_UNAVAILABLE where a named device does not work; `workerScript` is this folder's `runtime-worker`.
 */
export async function chooseProvider(device: Device, workerScript: URL): Promise<ChosenProvider> {
  switch (device) {
    case "cpu":
      return { provider: "cpu" };
    case "auto":
      if (cudaObstacles().length > 0) return { provider: "cpu" };
      return probe("cuda", workerScript).then(
        () => ({ provider: "cuda" }),
        (error: unknown) => ({ provider: "cpu", passedOver: reasonOf(error) }),
      );
    case "cuda":
    case "webgpu": {
      const obstacles = device === "cuda" ? cudaObstacles() : [];
      if (obstacles.length > 0) throw unavailable(device, obstacles.join("; "));
      await probe(device, workerScript).catch((error: unknown) => {
        throw unavailable(device, reasonOf(error), error);
      });
      return { provider: device };
    }
    default: {
      const unreachable: never = device;
      return unreachable;
    }
  }
}

const unavailable = (device: Exclude<Provider, "cpu">, why: string, cause?: unknown): DomainError =>
  new DomainError(
    "failedPrecondition",
    "DEVICE_UNAVAILABLE",
    `Cannot use device "${device}": ${why}; ${CURES[device]()}`,
    {
      info: { device },
      cause,
    },
  );

/** What ONNX Runtime says behind the source line and the condition that failed. */
const reasonOf = (error: unknown): string =>
  error instanceof Error
    ? error.message.replace(/^\S*\/onnxruntime_src\/.* was (?:false|true)\. /s, "").trim()
    : String(error);

/** Runs a convolution on `provider` in a worker of its own. Throws if it fails or differs from what it should give. */
async function probe(provider: Provider, workerScript: URL): Promise<void> {
  const worker = await startWorker({ threads: 1, provider }, workerScript);
  try {
    await worker.request({ kind: "create", session: 0, model: probeModel() });
    const { outputs } = await worker.request({ kind: "run", session: 0, feeds: { x: PROBE_INPUT }, outputs: ["y"] });
    const right = probeOutput();
    const found = float32Data(outputs.y);
    const worst = right.reduce(
      (greatest, value, i) => Math.max(greatest, Math.abs(value - (found[i] ?? Number.NaN))),
      0,
    );
    if (!(worst <= PROBE_TOLERANCE))
      throw new Error(`a convolution is ${worst.toExponential(1)} from its right values`);
  } finally {
    await worker.stop();
  }
}
