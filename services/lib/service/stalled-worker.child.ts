/** @file A process whose worker hangs at its first unit, for the test of the watchdog; the argument is the object folder. */
import { StoredFile } from "../proto/radhical/v1/work.ts";
import { readConfig } from "./config.ts";
import { startWorker } from "./jobs/worker.ts";
import { runUntilSignal } from "./lifecycle.ts";
import { createLogger } from "./log.ts";
import { openPlatform } from "./platform.ts";

const TOPIC = "stalled.unit";

const config = readConfig({
  RADHICAL_OBJECTS: process.argv[2],
  RADHICAL_STALL_MS: "1000",
  RADHICAL_GRACE_MS: "300",
});
const log = createLogger("child", "error");
const platform = await openPlatform(config, log);
await platform.queue.requireTopics([TOPIC]);
const worker = await startWorker(platform, "stalled", {
  topics: [TOPIC],
  members: 2,
  codec: StoredFile,
  handle: () => new Promise<undefined>(() => undefined),
});
const headers = { "output-key": "outputs/none", job: "0".repeat(32), "job-service": "training" };
await platform.queue.publish(TOPIC, [{ key: "a", value: new Uint8Array(0), headers }]);
// What a server does in a service: the process ends by nothing but its parts.
const server = setInterval(() => undefined, 1_000);
await runUntilSignal([platform, worker], log, config.graceMs);
clearInterval(server);
