import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openInProcessQueue } from "./in-process-queue.ts";
import { queueContract } from "./queue.contract.ts";

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-queue-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

queueContract({
  adapter: "in-process",
  place: temporaryFolder,
  provision: async () => undefined,
  open: async (t, options = {}) => {
    const queue = await openInProcessQueue({ folder: await temporaryFolder(t), ...options });
    t.after(() => queue.close());
    return queue;
  },
});

test("a consumer whose attempts cannot be written gives up and says why, instead of trying for ever", async (t) => {
  const folder = await temporaryFolder(t);
  const queue = await openInProcessQueue({ folder });
  t.after(() => queue.close());
  await queue.requireTopics(["work"]);
  await rm(folder, { recursive: true });
  let handled = 0;
  const consumer = await queue.consume({
    topics: ["work"],
    group: "workers",
    handle: async () => {
      handled++;
    },
  });
  await queue.publish("work", [{ key: "a", value: new Uint8Array(1) }]);
  const failure = await consumer.failed;
  assert.match(failure.message, /Cannot write down attempts \(.*ENOENT.*\); make room on the disk or check the folder/);
  assert.equal(handled, 0, "handled without a record of the attempt");
});
