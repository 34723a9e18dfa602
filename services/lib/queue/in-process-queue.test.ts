import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
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
  open: async (t) => {
    const queue = await openInProcessQueue({ folder: await temporaryFolder(t) });
    t.after(() => queue.close());
    return queue;
  },
});
