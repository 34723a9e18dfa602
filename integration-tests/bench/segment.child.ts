/** @file A process that segments one image as `radhical segment` does and prints what that took. Arguments: models, image, output folder. */
import { parseOptions, SegmentOptions } from "../../services/cli/options.ts";
import { segment } from "../../services/cli/segment.ts";
import { SILENT } from "../exactness-run.ts";

const [models, image, out] = process.argv.slice(2);
const startedMs = performance.now();
await segment(parseOptions(SegmentOptions, { models, images: [image], out }), SILENT, {});
const seconds = (performance.now() - startedMs) / 1_000;
process.stdout.write(JSON.stringify({ peakBytes: 1024 * process.resourceUsage().maxRSS, seconds }));
