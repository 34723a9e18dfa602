/** @file Builds the databases of one fold and level in a scratch folder, and stores them file by file. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DomainError } from "../lib/errors.ts";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { createRandom } from "../lib/method/random.ts";
import { classesOfLabels } from "../lib/method/sampling.ts";
import { isSystemError } from "../lib/objects/folder-failure.ts";
import { diskFull } from "../lib/objects/object-errors.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { BuildRecord, type BuildRecord_RecordFile, BuildTask, type StoredFile } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { PATCH_SET } from "../lib/service/document-kinds.ts";
import { encode, readDocument } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { DATABASE_TOPIC } from "../lib/service/topics.ts";
import { channelMeans, meanImage, meanPatch, writeLevelDb } from "./caffe-database.ts";
import type { Cutters } from "./cutters.ts";
import { type LoadRecords, recordLoader } from "./image-records.ts";
import { openList } from "./list-file.ts";
import { writeRecords } from "./record-file.ts";

export interface BuildWorkerContext {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
  readonly cutters: Cutters;
  /** The folder in which databases are built. */
  readonly scratch: string;
}

const PIECE_BYTES = 2 ** 20;

/** Returns the worker of build jobs. */
export const buildWorker = (ctx: BuildWorkerContext): UnitHandler<BuildTask> => ({
  topics: [DATABASE_TOPIC],
  members: 1,
  codec: BuildTask,
  place: ({ fold, level }) => ({ fold, level }),
  handle: async (task, unit) => {
    if (task.normalisation !== NORMALISATION) {
      const message = "Cannot build databases: the job is of a version with another normalisation; extract again";
      throw new DomainError("failedPrecondition", "JOB_OUTDATED", message);
    }
    const patchSet = await readDocument(ctx.objects, PATCH_SET, task.patchSetId);
    return ctx.cutters.lend(async (cutter) => {
      const load = recordLoader(ctx, patchSet, task.level, cutter);
      const loadRecords = async (imageId: string): Promise<Uint8Array> => {
        await unit.progress();
        return load(imageId);
      };
      return buildDatabases(ctx, task, loadRecords, unit.progress);
    });
  },
});

async function buildDatabases(
  ctx: BuildWorkerContext,
  task: BuildTask,
  loadRecords: LoadRecords,
  progress: () => Promise<void>,
): Promise<Uint8Array> {
  const { fold, level, seed } = task;
  const prefix = objectKey("databases", contentId(encode(BuildTask, task)));
  const parts = { ctx, task, prefix, progress, loadRecords };
  const test = await inScratch(ctx, (scratch) => buildPart(parts, scratch, "test", task.testKey, undefined));
  return inScratch(ctx, async (scratch) => {
    const train = await buildPart(parts, scratch, "train", task.trainKey, `${seed}-${fold}-${level}`);
    const mean = await meanPatch(train.localPath, progress);
    const meanFile = {
      path: `DB_train_w32_${fold}_${level}.binaryproto`,
      key: objectKey(prefix, "mean.binaryproto"),
    };
    await ctx.objects.put(meanFile.key, meanImage(mean), { ifAbsent: true });
    return encode(BuildRecord, {
      train: train.records,
      test: test.records,
      channelMeans: [...channelMeans(mean)].map(Math.fround),
      files: [...train.files, ...test.files, meanFile],
    });
  });
}

/** A scratch folder takes twice a database's size, so that there is one at a time. */
async function inScratch<T>({ scratch: root }: BuildWorkerContext, use: (folder: string) => Promise<T>): Promise<T> {
  const where = `build databases in the folder for temporary files, "${root}"`;
  const scratch = await mkdtemp(join(root, "radhical-build-")).catch((error: unknown) => {
    if (isDiskFull(error) || !(error instanceof Error)) throw error;
    const message = `Cannot ${where} (${error.message}): see that it is there and may be written to (TMPDIR)`;
    throw new DomainError("failedPrecondition", "SCRATCH_UNUSABLE", message, { cause: error });
  });
  try {
    return await use(scratch);
  } catch (error) {
    throw isDiskFull(error) ? diskFull(where, error) : error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** LevelDB only tells in words. */
const isDiskFull = (thrown: unknown): boolean =>
  isSystemError(thrown, "ENOSPC") ||
  isSystemError(thrown, "EDQUOT") ||
  (thrown instanceof Error && (/No space left on device/.test(thrown.message) || isDiskFull(thrown.cause)));

interface BuildParts {
  readonly ctx: BuildWorkerContext;
  readonly task: BuildTask;
  /** Of what the task stores. */
  readonly prefix: string;
  readonly loadRecords: LoadRecords;
  readonly progress: () => Promise<void>;
}

interface BuiltPart {
  readonly records: BuildRecord_RecordFile;
  readonly files: readonly StoredFile[];
  /** The record file on the local disk. */
  readonly localPath: string;
}

/** Builds and stores the record file and the LevelDB of one side, this shuffled if there is a seed. */
async function buildPart(
  { ctx, task, prefix, loadRecords, progress }: BuildParts,
  scratch: string,
  part: "train" | "test",
  listKey: string,
  shuffleSeed: string | undefined,
): Promise<BuiltPart> {
  const { fold, level } = task;
  const list = openList(await ctx.objects.get(listKey));
  const file = await writeRecords(join(scratch, `${part}.records`), list, loadRecords);
  await progress();
  const name = `DB_${part}_${fold}_${level}`;
  const order = Uint32Array.from({ length: list.length }, (_, i) => i);
  if (shuffleSeed !== undefined) createRandom("database", shuffleSeed).shuffle(order);
  await writeLevelDb(join(scratch, name), file.path, order, (record) => list.at(record).name, progress);
  const key = objectKey(prefix, `${part}.records`);
  const { path, size, sha256 } = file;
  await ctx.objects.put(key, { stream: readFile(path, progress), size, sha256 }, { ifAbsent: true });
  const classOfLabel = classesOfLabels(level);
  const byLabel = classOfLabel.map((_, label) => BigInt(file.byLabel[label]!));
  const database = { fold, level, part, patches: BigInt(list.length), recordsSha256: sha256, byLabel, classOfLabel };
  const files = await storeFolder(ctx, prefix, join(scratch, name), progress);
  return { records: { key, database }, files, localPath: path };
}

/**
 * Stores the files of a LevelDB. Its bytes differ from run to run, so a second worker must not mix its files with the first's:
 * they go under a name of their own, and the record that is created first says which files count.
 */
async function storeFolder(
  ctx: BuildWorkerContext,
  prefix: string,
  folder: string,
  progress: () => Promise<void>,
): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  const [name, attempt] = [basename(folder), contentId(folder)];
  for (const file of (await readdir(folder)).sort()) {
    const key = objectKey(prefix, name, attempt, file);
    const path = join(folder, file);
    // Read twice, for a body's hash is known before its first byte is sent.
    const hash = createHash("sha256");
    await pipeline(readFile(path, progress), hash);
    const { size } = await stat(path);
    await ctx.objects.put(key, { stream: readFile(path, progress), size, sha256: hash.digest("hex") });
    files.push({ path: `${name}/${file}`, key });
  }
  return files;
}

/** Returns a local file's bytes as they are asked for, and tells that work advances: a database can take minutes to store. */
function readFile(path: string, progress: () => Promise<void>): Readable {
  const pieces = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of createReadStream(path, { highWaterMark: PIECE_BYTES })) {
      yield piece;
      await progress();
    }
  };
  return Readable.from(pieces(), { objectMode: false });
}
