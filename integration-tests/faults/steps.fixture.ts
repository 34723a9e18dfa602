/** @file The steps before a segmentation, undisturbed in one process: what disturbed ones start from, and have to leave. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openServices, type Services } from "../../services/cli/services.ts";
import { openFolderStore } from "../../services/lib/objects/folder-store.ts";
import type { ObjectStore } from "../../services/lib/objects/object-store.ts";
import type { ExtractRequest } from "../../services/lib/proto/radhical/v1/extraction.ts";
import { BuildRecord } from "../../services/lib/proto/radhical/v1/work.ts";
import { sha256 } from "../../services/lib/service/content-id.ts";
import { temporaryFolder } from "../radhical-command.fixture.ts";
import { buildSmall, extractSmall, smallCohort, smallTraining, splitSmall, trainSmall } from "../rpc-jobs.fixture.ts";

/** Level 1, of two networks, and level 2, which train for some seconds each: checkpoints are saved every two. */
export const TRAINING = smallTraining(1200);
const COHORT = { images: 7, size: 200, reductions: [1, 2] };

/** What the steps have made, and from what. */
export interface Steps {
  readonly extract: ExtractRequest;
  readonly patchSetId: string;
  readonly splitId: string;
  readonly databaseSetId: string;
  readonly modelSetId: string;
  readonly objects: ObjectStore;
}

/** Runs the steps in this process, with nobody to disturb them. */
export async function runUndisturbed(t: TestContext): Promise<Steps> {
  const folder = await temporaryFolder(t);
  const services: Services = await openServices(undefined, join(folder, "objects"), {});
  t.after(() => services.close());
  const extract = await smallCohort(services, join(folder, "cohort"), COHORT);
  const patchSetId = await extractSmall(services, extract);
  const splitId = await splitSmall(services, patchSetId);
  const databaseSetId = await buildSmall(services, splitId);
  const modelSetId = await trainSmall(services, databaseSetId, TRAINING);
  await services.close();
  const objects = await openFolderStore(join(folder, "objects"));
  t.after(() => objects.close());
  return { extract, patchSetId, splitId, databaseSetId, modelSetId, objects };
}

/** Returns what databases must agree in: LevelDB's own files differ from run to run (ARCHITECTURE.md), and so does their record. */
export async function databasesIn(objects: ObjectStore): Promise<Record<string, unknown>> {
  const databases: Record<string, unknown> = {};
  for await (const { key } of objects.list("databases/")) {
    if (key.includes("/DB_")) continue;
    const bytes = await objects.get(key);
    databases[key] = key.includes("/records/") ? { ...BuildRecord.decode(bytes), files: [] } : sha256(bytes);
  }
  return databases;
}
