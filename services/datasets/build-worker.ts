/** @file Builds the databases of one fold and level in a scratch folder, and stores them file by file. */
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRandom } from "../lib/method/random.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { type NamedPatch, parseList } from "../lib/patches/patch-names.ts";
import { readShard } from "../lib/patches/patch-shard.ts";
import {
  BuildRecord,
  type BuildRecord_RecordFile,
  BuildTask,
  ExtractRecord,
  type StoredFile,
} from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { PATCH_SET } from "../lib/service/document-kinds.ts";
import { encode, readDocument, readRecord } from "../lib/service/documents.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { DATABASE_TOPIC } from "./build.ts";
import { channelMeans, databaseKey, meanImage, meanPatch, writeLevelDb } from "./caffe-database.ts";
import { type RecordFile, writeRecords } from "./record-file.ts";

export interface BuildWorkerContext {
  readonly objects: ObjectStore;
}

/** The network's class of each label in lists and databases: level 1 knows no mixed. */
const classesOfLabels = (level: number): number[] => (level === 1 ? [0, 2] : [0, 1, 2]);

/** Returns the worker of build jobs. */
export const buildWorker = (ctx: BuildWorkerContext): UnitHandler<BuildTask> => ({
  topics: [DATABASE_TOPIC],
  members: 1,
  codec: BuildTask,
  handle: async (task, unit) => {
    const { fold, level } = task;
    const scratch = await mkdtemp(join(tmpdir(), "radhical-build-"));
    try {
      const prefix = objectKey("databases", contentId(encode(BuildTask, task)));
      const loadShard = await shardLoader(ctx, task, unit.progress);
      const build = async (part: "train" | "test", listKey: string, shuffled: boolean): Promise<Built> => {
        const patches = parseList(Buffer.from(await ctx.objects.get(listKey)).toString());
        const records = await writeRecords(join(scratch, `${part}.records`), patches, loadShard);
        await unit.progress();
        const name = `DB_${part}_${fold}_${level}`;
        const keys = databaseKeys(patches, shuffled ? `${task.seed}-${fold}-${level}` : undefined);
        await writeLevelDb(join(scratch, name), records.path, keys, unit.progress);
        await unit.progress();
        const file = await storeRecords(ctx, prefix, task, part, patches, records);
        return { file, stored: await storeFolder(ctx, prefix, scratch, name), records };
      };
      const train = await build("train", task.trainKey, true);
      const test = await build("test", task.testKey, false);
      await unit.progress();
      const mean = await meanPatch(train.records.path);
      const meanFile = {
        path: `DB_train_w32_${fold}_${level}.binaryproto`,
        key: objectKey(prefix, "mean.binaryproto"),
      };
      await ctx.objects.put(meanFile.key, meanImage(mean), { ifAbsent: true });
      return encode(BuildRecord, {
        train: train.file,
        test: test.file,
        channelMeans: [...channelMeans(mean)].map(Math.fround),
        files: [...train.stored, ...test.stored, meanFile],
      });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  },
});

interface Built {
  readonly file: BuildRecord_RecordFile;
  readonly stored: readonly StoredFile[];
  readonly records: RecordFile;
}

async function shardLoader(ctx: BuildWorkerContext, { patchSetId, level }: BuildTask, progress: () => Promise<void>) {
  const { members } = await readDocument(ctx.objects, PATCH_SET, patchSetId);
  const recordKeys = new Map(members.map(({ imageId, recordKey }) => [imageId, recordKey]));
  return async (imageId: string) => {
    await progress();
    const { levels } = await readRecord(ctx.objects, ExtractRecord, recordKeys.get(imageId) ?? "");
    const shardKey = levels.find((entry) => entry.level === level)?.shardKey ?? "";
    return readShard(await ctx.objects.get(shardKey));
  };
}

/** Keys in list order; shuffled, the patch at place i of the list has another place, a function of the seed, in the database. */
function databaseKeys(patches: readonly NamedPatch[], shuffleSeed: string | undefined): string[] {
  const places = Uint32Array.from({ length: patches.length }, (_, i) => i);
  if (shuffleSeed !== undefined) createRandom("database", shuffleSeed).shuffle(places);
  return patches.map(({ name }, i) => databaseKey(places[i]!, name));
}

async function storeRecords(
  ctx: BuildWorkerContext,
  prefix: string,
  { fold, level }: BuildTask,
  part: "train" | "test",
  patches: readonly NamedPatch[],
  { path, size, sha256 }: RecordFile,
): Promise<BuildRecord_RecordFile> {
  const key = objectKey(prefix, `${part}.records`);
  await ctx.objects.put(key, { stream: createReadStream(path), size, sha256 }, { ifAbsent: true });
  const classOfLabel = classesOfLabels(level);
  const byLabel = classOfLabel.map((_, label) => BigInt(patches.filter((patch) => patch.label === label).length));
  return {
    key,
    database: { fold, level, part, patches: BigInt(patches.length), recordsSha256: sha256, byLabel, classOfLabel },
  };
}

/**
 * Stores the files of a LevelDB. Its bytes differ from run to run, so a second worker must not mix its files with the first's:
 * they go under a name of their own, and the record that is created first says which files count.
 */
async function storeFolder(
  ctx: BuildWorkerContext,
  prefix: string,
  scratch: string,
  name: string,
): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  const attempt = contentId(scratch, name);
  for (const file of (await readdir(join(scratch, name))).sort()) {
    const key = objectKey(prefix, name, attempt, file);
    await ctx.objects.put(key, await readFile(join(scratch, name, file)));
    files.push({ path: `${name}/${file}`, key });
  }
  return files;
}
