/** @file One segmentation, undisturbed in one process and disturbed in many: what both must agree in. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openServices } from "../../services/cli/services.ts";
import { openFolderStore } from "../../services/lib/objects/folder-store.ts";
import type { ObjectStore } from "../../services/lib/objects/object-store.ts";
import { openS3Store } from "../../services/lib/objects/s3-store.ts";
import { JobState } from "../../services/lib/proto/radhical/v1/jobs.ts";
import type { Cascade } from "../../services/lib/proto/radhical/v1/segmentation.ts";
import type { LevelThresholds } from "../../services/lib/proto/radhical/v1/tuning.ts";
import { AssembleRecord, TileRecord } from "../../services/lib/proto/radhical/v1/work.ts";
import { sha256 } from "../../services/lib/service/content-id.ts";
import { listJobs } from "../../services/lib/service/jobs/job-store.ts";
import type { Deployment } from "../deployment.fixture.ts";
import { temporaryFolder } from "../radhical-command.fixture.ts";
import {
  cascadeOf,
  importCascade,
  REDUCTIONS,
  type Segmented,
  segmentCascade,
  thresholdsFor,
} from "../segment-cascade.fixture.ts";
import { writeTissueImage } from "../segmented-image.fixture.ts";
import { copyBelow } from "../stores.fixture.ts";
import { checkLogs, type Fleet, startFleet, tail } from "./fleet.fixture.ts";

const SIZE = { width: 1900, height: 1400 };
/** What thresholds are chosen by. */
const CORNER = { width: 1000, height: 600 };
const TILE = 500;
/** 4 x 3. */
export const TILES = 12;
/** Every tile leaves so many objects on its way: a state after each level but the last, and its record. */
const STEPS_PER_TILE = REDUCTIONS.length;
/** Steps of the whole job, if every tile goes down to the finest level. */
export const STEPS = TILES * STEPS_PER_TILE;

/** What is left of a segmentation, but for what is measured in seconds. */
interface Left {
  /** Hashes of tile results and PNGs by key. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly tiles: Readonly<Record<string, unknown>>;
  readonly images: readonly unknown[];
  readonly states: readonly string[];
}

/** An undisturbed segmentation. */
export interface Reference {
  readonly imageId: string;
  readonly cascade: Cascade;
  readonly segmented: Segmented;
  readonly left: Left;
  /** Puts image and models into a store. */
  copyInputs(objects: ObjectStore): Promise<void>;
}

const INPUTS = ["images/", "models/", "model-files/"];

/** Reads what segmentations left in a store. */
export async function readLeft(objects: ObjectStore): Promise<Left> {
  const hashes: Record<string, string> = {};
  const tiles: Record<string, unknown> = {};
  const images: unknown[] = [];
  const states: string[] = [];
  for await (const { key } of objects.list("segmentations/")) {
    const bytes = await objects.get(key);
    const [, , kind, name] = key.split("/");
    if (kind === "states") states.push(key);
    else if (kind === "tiles") tiles[key] = { ...TileRecord.decode(bytes), seconds: 0 };
    else if (kind === "image" && name === "record") {
      const { image, files } = AssembleRecord.decode(bytes);
      images.push({ image: { ...image, seconds: 0 }, files });
    } else hashes[key] = sha256(bytes);
  }
  return { hashes, tiles, images, states };
}

/** Segments an image in this process, with nobody to disturb it; by thresholds that suit it, unless they are given. */
export async function segmentUndisturbed(
  t: TestContext,
  size = SIZE,
  thresholds?: LevelThresholds[],
): Promise<Reference> {
  const folder = await temporaryFolder(t);
  const objectsFolder = `${folder}/objects`;
  const services = await openServices(undefined, objectsFolder, {});
  t.after(() => services.close());
  const path = await writeTissueImage(folder, "tissue", size.width, size.height);
  const input = await importCascade(services, path);
  const cascade = cascadeOf(input.models, thresholds ?? (await thresholdsFor(services, input, CORNER)), TILE);
  const segmented = await segmentCascade(t, services, input.imageId, cascade);
  await services.close();
  const objects = await openFolderStore(objectsFolder);
  t.after(() => objects.close());
  const left = await readLeft(objects);
  assert.deepEqual(left.states, []);
  return {
    imageId: input.imageId,
    cascade,
    segmented,
    left,
    copyInputs: (to) => copyBelow(objects, to, INPUTS),
  };
}

/** A segmentation that a test disturbs. */
export interface Disturbed {
  readonly fleet: Fleet;
  readonly objects: ObjectStore;
  /** Resolves when the job has come so far: `step` of STEPS objects are stored. Fails if it is over before. */
  reached(step: number): Promise<void>;
  /** Waits for the end of the job and of every process, and compares with the undisturbed one. */
  endsAsUndisturbed(options?: {
    /** What is to be done before the processes end. */
    readonly before?: () => Promise<void>;
    /** Messages that are to be dead letters. */
    readonly deadLetters?: number;
  }): Promise<void>;
}

export const CASCADE_PROCESSES = ["segmentation", "inference", "inference"];

/** Starts processes and a segmentation on them. */
export async function segmentDisturbed(
  t: TestContext,
  reference: Reference,
  deployment: Deployment,
  start: (names: readonly string[]) => Promise<Fleet> = (names) => startFleet(t, deployment, names),
): Promise<Disturbed> {
  const objects = await openS3Store(deployment.bucket);
  t.after(() => objects.close());
  assert.equal(Object.keys(reference.left.tiles).length, TILES);
  await reference.copyInputs(objects);
  const fleet = await start(CASCADE_PROCESSES);
  let isOver = false;
  const work = segmentCascade(t, fleet.services, reference.imageId, reference.cascade).finally(() => {
    isOver = true;
  });
  work.catch(() => undefined);
  const logs = (): string => fleet.processes.map(({ name, log }) => `${name}:\n${tail(log)}`).join("\n");
  return {
    fleet,
    objects,
    reached: async (step) => {
      while ((await stepsDone(objects)) < step) {
        if (isOver) assert.fail(`the job was over before step ${step}\n${logs()}`);
        await sleep(10);
      }
    },
    endsAsUndisturbed: async ({ before, deadLetters = 0 } = {}) => {
      const segmented = await work.catch((error: unknown) => assert.fail(`${error}\n${logs()}`));
      await before?.();
      await fleet.stop();
      assert.deepEqual(segmented, reference.segmented);
      assert.deepEqual(await readLeft(objects), reference.left);
      for await (const { job } of listJobs(objects)) {
        const { state, done, total, deadUnits } = job;
        const expected = {
          state: JobState.JOB_STATE_SUCCEEDED,
          done: BigInt(TILES),
          total: BigInt(TILES),
          deadUnits: 0n,
        };
        assert.deepEqual({ state, done, total, deadUnits }, expected);
      }
      checkLogs(fleet, deadLetters);
    },
  };
}

async function stepsDone(objects: ObjectStore): Promise<number> {
  let steps = 0;
  for await (const { key } of objects.list("segmentations/")) {
    if (key.includes("/states/") || key.includes("/tiles/")) steps += 1;
  }
  return steps;
}
