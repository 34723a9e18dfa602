/** @file How often V8 collects the whole heap of a process that computes. */
import { setFlagsFromString } from "node:v8";

/**
 * Lets the heap double before all of it is collected. A process that computes makes few objects and large arrays, whose memory lies
 * outside the heap; of a heap that hardly grows V8 expects little, and collects it for every third of its size that comes to be, outer memory
 * included: every 10 MB, nine times in an image of 2000 x 2000 pixels, now three (docs/speed.md). Memory: the size of the heap at
 * the most, some 35 MB. The flag is read at every collection, so it works after the start; a V8 without it says so and goes on.
 */
export const collectLessOften = (): void => setFlagsFromString("--heap-growing-percent=100");
