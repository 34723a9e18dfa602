/** @file A whole training unit: records in, model, manifest and record out; models back in. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { readModel } from "../lib/network/model-contents.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Model, Optimizer, RateSchedule, TrainingSettings } from "../lib/proto/radhical/v1/training.ts";
import { Checkpoint, TrainTask, UnitEvent, UnitEventKind } from "../lib/proto/radhical/v1/work.ts";
import { openInProcessQueue } from "../lib/queue/in-process-queue.ts";
import type { Delivery } from "../lib/queue/queue.ts";
import { openRuntime, type Runtime } from "../lib/runtime/runtime.ts";
import { contentId, sha256, shortId } from "../lib/service/content-id.ts";
import { MODEL } from "../lib/service/document-kinds.ts";
import { encode, readDocument } from "../lib/service/documents.ts";
import { sendUpload } from "../lib/service/files.ts";
import { afterTest, temporaryFolder, temporaryStore, until } from "../lib/service/jobs/jobs.fixture.ts";
import { UNIT_HEADERS } from "../lib/service/jobs/units.ts";
import { startWorker } from "../lib/service/jobs/worker.ts";
import { createLogger } from "../lib/service/log.ts";
import { eventsTopic, TRAIN_TOPIC } from "../lib/service/topics.ts";
import { asTold, importModel, parseManifest, storeModel } from "./models.ts";
import { accuracy } from "./test-accuracy.ts";
import { TINY_NETWORK, toyRecords } from "./toy-data.fixture.ts";
import { trainWorker } from "./train-worker.ts";

const log = createLogger("test", "silent");

const database = (part: string, records: Uint8Array, byLabel: bigint[]) => ({
  database: {
    fold: 1,
    level: 2,
    part,
    patches: BigInt(records.length / 3073),
    recordsSha256: sha256(records),
    byLabel,
    classOfLabel: [0, 1, 2],
  },
  key: `databases/${part}.records`,
});

interface ToyOptions {
  readonly settings?: Partial<TrainingSettings>;
  /** Whether the unit is stopped soon after its so-manieth sign of progress, and begun again. */
  readonly stopAfter?: number;
  /** Called at every checkpoint; the store is the unit's. */
  readonly onSaved?: (objects: ObjectStore) => Promise<void>;
}

/** Stores the toy problem's records and returns the task to learn it. */
async function toyTask(objects: ObjectStore, changes: Partial<TrainingSettings> = {}): Promise<TrainTask> {
  const train = toyRecords(200, 1);
  const test = toyRecords(300, 2);
  await objects.put("databases/train.records", train);
  await objects.put("databases/test.records", test);
  const data = {
    train: database("train", train, [67n, 67n, 66n]),
    test: database("test", test, [100n, 100n, 100n]),
    channelMeans: [140, 140, 140],
    files: [],
  };
  const settings = TrainingSettings.fromPartial({
    iterations: 150,
    batchSize: 8,
    learningRate: 0.01,
    initialAccumulator: 0.1,
    weightDecay: 0.004,
    seed: 1n,
    network: JSON.stringify(TINY_NETWORK),
    stainJitter: 0.05,
    averagedSteps: 30,
    optimizer: Optimizer.OPTIMIZER_ADAM,
    rateSchedule: RateSchedule.RATE_SCHEDULE_COSINE,
    ...changes,
  });
  return TrainTask.fromPartial({ data, settings, fold: 1, level: 2, reduction: 2, mpp: 0.25 });
}

async function startRuntime(t: TestContext, workers: number): Promise<Runtime> {
  const runtime = await openRuntime({ workers, threadsPerWorker: 1, device: "cpu" });
  afterTest(t, () => runtime.close());
  return runtime;
}

/** Trains the toy problem in a store of its own, as a worker does. */
async function trainToy(t: TestContext, options: ToyOptions = {}) {
  const objects = await temporaryStore(t);
  const runtime = await startRuntime(t, 1);
  const task = await toyTask(objects, options.settings);
  const worker = trainWorker({ objects, workers: 1, log, runtime: async () => runtime });
  const details: string[] = [];
  let signs = 0;
  const begin = () => {
    const stopping = new AbortController();
    const progress = async ({ detail, saved }: { readonly detail?: string; readonly saved?: boolean } = {}) => {
      if (saved) await options.onSaved?.(objects);
      if (detail !== undefined) details.push(detail);
      if (++signs === options.stopAfter) setTimeout(() => stopping.abort(), 30);
    };
    return worker.handle(task, { signal: stopping.signal, outputKey: "", headers: {}, progress });
  };
  if (options.stopAfter !== undefined) await assert.rejects(begin(), { name: "AbortError" });
  const output = await begin();
  const record = Model.decode(output!);
  return { objects, details, record, stored: await readDocument(objects, MODEL, record.modelId) };
}

test("a trained model classifies test patches, and its confusion matrix counts each of them once", async (t) => {
  const { record } = await trainToy(t);
  const rows = [0, 3, 6].map((start) => record.confusion.slice(start, start + 3).reduce((sum, n) => sum + n, 0n));
  assert.deepEqual(rows, [100n, 100n, 100n]);
  assert.ok(record.testAccuracy > 0.95, String(record.testAccuracy));
  assert.equal(record.testAccuracy, accuracy(record.confusion.map(Number)));
  assert.deepEqual([record.fold, record.level, record.reduction, record.rareClasses], [1, 2, 2, []]);
});

test("the same training gives the same model and the same manifest, byte for byte", async (t) => {
  const [first, second] = [await trainToy(t), await trainToy(t)];
  assert.equal(first.record.modelId, second.record.modelId);
  assert.equal(first.stored.manifest, second.stored.manifest);
  const onnx = await first.objects.get(first.stored.key);
  assert.equal(shortId(sha256(onnx)), first.record.modelId);
  assert.deepEqual(readModel(onnx).network, TINY_NETWORK);
});

test("a unit that was stopped on the way makes the same model and manifest when it is begun again", async (t) => {
  const settings = { iterations: 1_000, averagedSteps: 600 };
  const whole = await trainToy(t, { settings });
  // A point of the accuracy curve gives two signs, so this is the third point's, step 750's.
  const again = await trainToy(t, { settings, stopAfter: 5 });
  assert.equal(again.stored.manifest, whole.stored.manifest);
  const { lossCurve, accuracyCurve, settings: stated } = JSON.parse(whole.stored.manifest);
  assert.deepEqual(
    [lossCurve.length, accuracyCurve.map(({ step }: { readonly step: number }) => step)],
    [20, [250, 500, 750, 1_000]],
  );
  // 300 test patches are fewer than a point takes, and the last point is of the very weights that are saved
  assert.equal(accuracyCurve.at(-1).accuracy, whole.record.testAccuracy);
  assert.deepEqual([stated.stainJitter, stated.averagedSteps], [0.05, 600]);
  assert.deepEqual([stated.optimizer, stated.rateSchedule], ["adam", "cosine"]);
});

test("a worker whose run another has taken over stops at its next checkpoint, and the other's state stays", async (t) => {
  let saves = 0;
  const takeOver = async (objects: ObjectStore): Promise<void> => {
    assert.equal(++saves, 1, "it went on after the run was taken over");
    for await (const { key } of objects.list("training/")) {
      const { bytes, etag } = (await objects.find(key))!;
      const stored = { ...Checkpoint.decode(bytes), step: 7 };
      await objects.put(key, encode(Checkpoint, stored), { ifMatch: etag });
    }
  };
  // Hours, if it went on.
  const trained = trainToy(t, { settings: { iterations: 1_000_000 }, onSaved: takeOver });
  await assert.rejects(trained, { kind: "unavailable", reason: "RUN_TAKEN_OVER" });
  assert.equal(saves, 1);
});

test("as many networks train side by side as the process has workers", async (t) => {
  const objects = await temporaryStore(t);
  const runtime = await startRuntime(t, 2);
  const queue = await openInProcessQueue({ folder: await temporaryFolder(t) });
  afterTest(t, () => queue.close());
  await queue.requireTopics([TRAIN_TOPIC, eventsTopic("training")]);
  const told: UnitEvent[] = [];
  const handle = async ({ value }: Delivery): Promise<void> => void told.push(UnitEvent.decode(value));
  await queue.consume({ topics: [eventsTopic("training")], group: "test", handle });
  await startWorker(
    { objects, queue, log },
    "training",
    trainWorker({ objects, workers: 2, log, runtime: async () => runtime }),
  );
  const task = await toyTask(objects, { iterations: 1_000_000 }); // hours
  const messages = [1, 2].map((level) => {
    const headers = {
      [UNIT_HEADERS.job]: contentId("job"),
      [UNIT_HEADERS.service]: "training",
      [UNIT_HEADERS.unit]: String(level),
      [UNIT_HEADERS.output]: `training/${level}/record`,
    };
    return { key: String(level), value: encode(TrainTask, { ...task, level }), headers };
  });
  await queue.publish(TRAIN_TOPIC, messages);
  const advanced = () => new Set(told.filter(({ amount }) => amount > 0n).map(({ unit }) => unit));
  await until(() => advanced().size === 2, "both to take steps");
  assert.ok(told.every(({ kind }) => kind === UnitEventKind.UNIT_EVENT_KIND_PROGRESS));
});

test("a model that is joined of trainings gives the mean of what theirs give, and its manifest has theirs", async (t) => {
  const objects = await temporaryStore(t);
  const runtime = await startRuntime(t, 1);
  const worker = trainWorker({ objects, workers: 1, log, runtime: async () => runtime });
  const unit = { signal: new AbortController().signal, outputKey: "", headers: {}, progress: async () => undefined };
  const task = await toyTask(objects, { iterations: 60 });
  const settings = task.settings!;
  const recordKeys = ["training/one/record", "training/two/record"];
  for (const [i, key] of recordKeys.entries()) {
    const member = { ...task, settings: { ...settings, seed: settings.seed + BigInt(i) } };
    await objects.put(key, (await worker.handle(member, unit))!);
  }
  const join = { ...task, settings: { ...settings, members: 2 }, memberRecords: recordKeys };
  const joined = async () => Model.decode((await worker.handle(join, unit))!);
  const record = await joined();
  const stored = await readDocument(objects, MODEL, record.modelId);
  const documents = await Promise.all(
    recordKeys.map(async (key) => readDocument(objects, MODEL, Model.decode(await objects.get(key)).modelId)),
  );
  const own = await Promise.all(documents.map(async ({ key }) => readModel(await objects.get(key)).members));
  assert.deepEqual(readModel(await objects.get(stored.key)).members, own.flat());
  assert.notDeepEqual(own[0], own[1]);
  const manifest = JSON.parse(stored.manifest);
  assert.deepEqual(
    manifest.trainings,
    documents.map(({ manifest }) => JSON.parse(manifest)),
  );
  assert.deepEqual([manifest.settings.members, manifest.settings.seed, manifest.trainings[1].settings.seed], [2, 1, 2]);
  assert.equal(
    record.confusion.reduce((sum, count) => sum + count, 0n),
    300n,
  );
  assert.ok(record.testAccuracy > 0.9, String(record.testAccuracy));
  assert.equal(manifest.computeClass, runtime.computeClass);
  assert.deepEqual(await joined(), record);
  const [one] = recordKeys;
  await assert.rejects(async () => worker.handle({ ...join, memberRecords: [one!] }, unit), {
    reason: "TASK_INCOMPLETE",
    message: /other networks than the settings say/,
  });
  const model = { ...parseManifest(record.modelId, stored.manifest), stepsPerSecond: record.stepsPerSecond };
  assert.deepEqual(model, record);
});

test("progress tells loss, accuracy, speed and the time left", async (t) => {
  const { details } = await trainToy(t, { settings: { iterations: 2_000 } });
  const pattern = /^fold 1 level 2, seed 1: loss \d\.\d{3}, (accuracy \d+\.\d %, )?\d+\.\d steps\/s, \d+:\d\d left$/;
  assert.ok(details.length > 0);
  for (const detail of details) assert.match(detail, pattern);
});

test("a model that was fetched is the same model after an import elsewhere", async (t) => {
  const { objects, stored } = await trainToy(t);
  const bytes = await objects.get(stored.key);
  const elsewhere = await temporaryStore(t);
  const upload = (manifest: string, data: Uint8Array) => sendUpload(data, { manifest });
  const take = importModel({ objects: elsewhere });
  await assert.rejects(take(upload("{", bytes)), { reason: "MANIFEST_INVALID" });
  const noModel = Buffer.from("not a model");
  const forged = JSON.stringify({ ...JSON.parse(stored.manifest), modelId: shortId(sha256(noModel)) });
  await assert.rejects(take(upload(forged, noModel)), { reason: "MODEL_UNREADABLE" });
  for await (const { key } of elsewhere.list("")) assert.fail(`a refused model left "${key}"`);
  // The first manifest is everybody's: it must be what the file itself says.
  const changed = (fields: object): string => JSON.stringify({ ...JSON.parse(stored.manifest), ...fields });
  const lies = {
    7: { level: 7 },
    0.5: { mpp: 0.5 },
    x: { splitId: "x" },
    2: { settings: { iterations: 150, members: 2 } },
  };
  for (const [value, lie] of Object.entries(lies)) {
    const refusal = {
      reason: "MANIFEST_INVALID",
      message: new RegExp(`it says "${value}" where the model itself says`),
    };
    await assert.rejects(take(upload(changed(lie), bytes)), refusal);
  }
  for await (const { key } of elsewhere.list("")) assert.fail(`a refused manifest left "${key}"`);
  const { model } = await take(upload(stored.manifest, bytes));
  await assert.rejects(take(upload(changed({ testAccuracy: 1.5 }), bytes)), { reason: "MANIFEST_DIFFERS" });
  assert.deepEqual(model, { ...stored.model, stepsPerSecond: 0 });
  assert.deepEqual(await elsewhere.get((await readDocument(elsewhere, MODEL, model!.modelId)).key), bytes);
});

test("a model that an earlier version stored, without the number of its networks, is the same model", async (t) => {
  const { objects, stored } = await trainToy(t);
  const bytes = await objects.get(stored.key);
  const elsewhere = await temporaryStore(t);
  await storeModel(elsewhere, { ...stored.model!, members: 0 }, stored.manifest, bytes);
  const { settings, ...rest } = JSON.parse(stored.manifest);
  const { members, ...before } = settings;
  assert.equal(members, 1);
  const manifest = JSON.stringify({ ...rest, settings: before });
  const { model } = await importModel({ objects: elsewhere })(sendUpload(bytes, { manifest }));
  assert.deepEqual(model, { ...stored.model, stepsPerSecond: 0 });
  const kept = await readDocument(elsewhere, MODEL, stored.model!.modelId);
  assert.equal(asTold(kept.model!).members, 1);
});

test("a manifest of another model, or one that says too little, is refused by what is wrong", async (t) => {
  const { stored, record } = await trainToy(t);
  const refusal = (pattern: RegExp) => ({ reason: "MANIFEST_INVALID", message: pattern });
  const other = "0".repeat(32);
  assert.throws(
    () => parseManifest(other, stored.manifest),
    refusal(new RegExp(`"${record.modelId}" for model "${other}"`)),
  );
  const changed = { ...JSON.parse(stored.manifest), level: 0, confusion: [[1, 2, 3]] };
  assert.throws(() => parseManifest(record.modelId, JSON.stringify(changed)), refusal(/level: .*; confusion/));
  const otherwise = JSON.stringify({ ...JSON.parse(stored.manifest), normalisation: "none" });
  assert.throws(() => parseManifest(record.modelId, otherwise), refusal(/normalisation: only "mean density 3"/));
  assert.doesNotMatch(stored.manifest, /\d{4}-\d\d-\d\d|second|speed/i);
});
