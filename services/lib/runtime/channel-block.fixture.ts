/** @file What /proc/cpuinfo says of the CPU's blocked operators, to hold `Runtime.channelBlock` to it. */
import { readFileSync } from "node:fs";

/** Returns the channels in a block by the CPU's flags: 16 with AVX-512, 8 with AVX2; undefined where they say nothing: another kind of CPU, or no Linux. */
export function channelBlockByFlags(): 16 | 8 | undefined {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.trim().split(/\s+/);
    if (flags?.includes("avx512f")) return 16;
    return flags?.includes("avx2") ? 8 : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Throws where the CPU has blocked operators and a runtime found none. Tests of the graphs that are written for them say so first: without
 * blocks these graphs are the portable ones, which would be compared with themselves.
 */
export function checkBlocksFound({ channelBlock }: { readonly channelBlock: number }): void {
  const expected = channelBlockByFlags();
  if (expected !== undefined && channelBlock !== expected)
    throw new Error(`The CPU's blocks are of ${expected} channels, the runtime found ${channelBlock}`);
}
