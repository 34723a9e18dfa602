/**
 * @file A process that splits a stored patch set, builds the databases of fold 1, prints what that took and removes them, so that it can
 * be run again. Arguments: the store's folder, the patch set.
 */
import { tmpdir } from "node:os";
import { openFolderStore } from "../lib/objects/folder-store.ts";
import { BuildRequest, SplitRequest } from "../lib/proto/radhical/v1/datasets.ts";
import { DATABASE_SET } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { runInline } from "../lib/service/jobs/inline.fixture.ts";
import { buildJobs } from "./build.ts";
import { buildWorker } from "./build-worker.ts";
import { openCutters } from "./cutters.ts";
import { listWorker, splitJobs } from "./split.ts";
import type { BuildCost } from "./stored-patches.fixture.ts";

const FOLDS = 10;
const [folder = "", patchSetId = ""] = process.argv.slice(2);
const peakBytes = (): number => 1024 * process.resourceUsage().maxRSS;

const objects = await openFolderStore(folder);
const cutters = openCutters();
const ctx = { objects, images: createImageStore(objects, 1e6), cutters, scratch: tmpdir() };
const baselineBytes = peakBytes();
const startedMs = performance.now();
const splitRequest = SplitRequest.fromPartial({ requestId: "split", patchSetId, folds: FOLDS, seed: 1n });
const split = await runInline(objects, splitJobs(ctx), listWorker(ctx), splitRequest);
const buildRequest = BuildRequest.fromPartial({ requestId: "build", splitId: split.id, folds: [1] });
const build = await runInline(objects, buildJobs(ctx), buildWorker(ctx), buildRequest);
const seconds = (performance.now() - startedMs) / 1_000;
const [record] = (await readDocument(objects, DATABASE_SET, build.id)).records;
const cost: BuildCost = {
  trainPatches: Number(record?.train?.database?.patches),
  testPatches: Number(record?.test?.database?.patches),
  seconds,
  baselineBytes,
  peakBytes: peakBytes(),
};
for (const prefix of ["databases/", "database-sets/", "lists/", "splits/"])
  for await (const { key } of objects.list(prefix)) await objects.delete(key);
await cutters.stop();
await objects.close();
process.stdout.write(JSON.stringify(cost));
