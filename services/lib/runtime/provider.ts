/** @file The one place that chooses where graphs run, and names the compute class (METHOD.md 4). */
import { readFileSync } from "node:fs";

/** What a caller may ask for; `auto` takes the fastest provider that this build of ONNX Runtime carries. */
export type Device = "auto" | "cpu";

/** Returns ONNX Runtime's execution providers for `device`, first choice first. */
export function executionProviders(device: Device): readonly string[] {
  switch (device) {
    case "auto": // the npm package carries no CUDA library; one that is installed beside it gets its place here
    case "cpu":
      return ["cpu"];
    default: {
      const unreachable: never = device;
      return unreachable;
    }
  }
}

/**
 * Returns the compute class: results are promised to be identical bytes within one class only. Provider, graph variant
 * (A: portable operators, no block size), instruction set and ONNX Runtime's version, e.g. `cpu/A/avx2/ort-1.30.0`.
 */
export const computeClass = (providers: readonly string[], ortVersion: string): string =>
  [providers[0], "A", instructionSet(cpuFlags()), `ort-${ortVersion}`].join("/");

/** Returns the widest vector extension in `flags` (words of /proc/cpuinfo), or the architecture where none is known. */
export function instructionSet(flags: ReadonlySet<string>): string {
  const widest = ["amx_tile", "avx512_vnni", "avx512f", "avx2", "avx", "sve", "asimd"].find((flag) => flags.has(flag));
  return widest ?? process.arch;
}

function cpuFlags(): ReadonlySet<string> {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    return new Set(line?.[1]?.trim().split(/\s+/));
  } catch {
    return new Set(); // not Linux: the architecture alone then names the class
  }
}
