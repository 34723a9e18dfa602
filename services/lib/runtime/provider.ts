/** @file Where graphs can run, and the compute class (METHOD.md 4). */
import { readFileSync } from "node:fs";

/** What a caller may ask for. `auto` is CUDA where it is really there (`device.ts`), else the CPU; never WebGPU. */
export const DEVICES = ["auto", "cpu", "cuda", "webgpu"] as const;
export type Device = (typeof DEVICES)[number];

/** An execution provider of ONNX Runtime. A session has one and no other: what it lacks is an error, not a quiet slow run. */
export type Provider = Exclude<Device, "auto">;

/** Changes with the order in which the blocked training graph adds up (`lib/network/blocked`). */
const BLOCKED_REVISION = 2;

/**
 * Returns the compute class: results are promised to be identical bytes within one class only. Provider, variant of the training graph
 * (A: standard operators; C, the block's channels and a revision: ONNX Runtime's own, for CPUs), on a CPU its instruction set, and ONNX Runtime's
 * version, e.g. `cpu/C8.2/avx2/ort-1.30.0` or `cuda/A/ort-1.30.0`.
 */
export const computeClass = (provider: Provider, channelBlock: number, ortVersion: string): string => {
  const variant = channelBlock > 0 ? `C${channelBlock}.${BLOCKED_REVISION}` : "A";
  const machine = provider === "cpu" ? [instructionSet(cpuFlags())] : [];
  return [provider, variant, ...machine, `ort-${ortVersion}`].join("/");
};

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
