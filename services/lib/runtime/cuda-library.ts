/** @file ONNX Runtime's CUDA library, which the npm package does not carry: where it belongs, and whether it can work here. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = join(dirname(fileURLToPath(import.meta.resolve("onnxruntime-node"))), "..");
const FOLDER = join(PACKAGE, "bin", "napi-v6", process.platform, process.arch);
const LIBRARIES = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"];
/** Any of them is there where a driver is: Linux itself, a container, Windows' Linux. */
const DRIVER_FILES = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"];

const version = (): string => {
  const { version: found }: { version?: string } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  return found ?? "the same version";
};

/** What to do where CUDA does not work. */
export const howToGetCuda = (): string =>
  `it needs an NVIDIA driver, CUDA 13 and cuDNN 9 on the loader's path (LD_LIBRARY_PATH), and in "${FOLDER}" the two libraries ${LIBRARIES.join(" and ")} out of the Python package onnxruntime-gpu ${version()} (onnxruntime/capi)`;

/** Returns what is seen, without loading anything, to keep CUDA from working; nothing where it is worth a try. */
export function cudaObstacles(): readonly string[] {
  const missing = LIBRARIES.filter((name) => !existsSync(join(FOLDER, name)));
  return [
    ...missing.map((name) => `"${name}" is not there`),
    ...(DRIVER_FILES.some((file) => existsSync(file)) ? [] : ["there is no NVIDIA driver"]),
  ];
}
