/** @file Whose code keeps the main thread busy: V8's samples of it, by the folder that the sampled function lies in. */
import { Session } from "node:inspector/promises";

/** Often enough for a tenth of a second to be a hundred samples, and not so often that sampling is what is measured. */
const SAMPLING_US = 500;
const SOURCES = new URL("../..", import.meta.url).href;

/**
 * Does `work` and returns the seconds for which the main thread was busy, all of them and those in functions whose file, from the
 * root of what was compiled (`services/lib/method/levels.js`), `isCounted`. What V8 collects and what native code does under no function are in
 * the whole alone; a function of a library or of Node counts to no source file.
 */
export async function busyCode<T>(
  isCounted: (source: string) => boolean,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly seconds: number; readonly countedSeconds: number }> {
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: SAMPLING_US });
    await session.post("Profiler.start");
    const result = await work();
    const { profile } = await session.post("Profiler.stop");
    const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
    const { samples = [], timeDeltas = [] } = profile;
    let busyUs = 0;
    let countedUs = 0;
    for (const [i, id] of samples.entries()) {
      const { functionName, url } = frames.get(id)!;
      if (functionName === "(idle)") continue;
      // A sample stands for the time up to the next one.
      const us = timeDeltas[i + 1] ?? 0;
      busyUs += us;
      if (url.startsWith(SOURCES) && isCounted(url.slice(SOURCES.length))) countedUs += us;
    }
    return { result, seconds: busyUs / 1e6, countedSeconds: countedUs / 1e6 };
  } finally {
    session.disconnect();
  }
}
