import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import {
  describeFailure,
  radhical,
  radhicalSucceeds,
  runArguments,
  temporaryFolder,
} from "./radhical-command.fixture.ts";
import {
  databaseContent,
  filesBelow,
  hashesBelow,
  readPixels,
  readReport,
  readRunResult,
} from "./result-files.fixture.ts";
import { checkImageOutputs, IMAGE_OUTPUTS, readOnlyTile, writeTissueImage } from "./segmented-image.fixture.ts";
import { writeTissueCohort } from "./synthetic-tissue.ts";

const PATIENTS = 5;
const SIZE = 96;
/** Of an image at level 1, as `runArguments` asks for. */
const CENTRES = 250;
const LEVELS = [1, 2, 3, 4];
const SETTINGS = ["--folds", "5", "--fold", "2", "--iterations", "12"];

const lines = async (path: string): Promise<string[]> => (await readFile(path, "utf8")).trimEnd().split("\n");

/** Paths of all objects with what changes when a file is written again. */
async function objectStamps(out: string): Promise<string[]> {
  const folder = join(out, ".radhical", "objects");
  return Promise.all(
    (await filesBelow(folder)).map(async (path) => {
      const { ino, mtimeMs, size } = await stat(join(folder, path));
      return `${path} ${ino} ${mtimeMs} ${size}`;
    }),
  );
}

test("the seven steps in one process, and what they trained applied to new images", async (t) => {
  const folder = await temporaryFolder(t);
  const cohort = join(folder, "cohort");
  const stems = await writeTissueCohort(cohort, { patients: PATIENTS, imagesPerPatient: 2, size: SIZE, seed: 7 });
  const out = join(folder, "out");
  const models = join(out, "models");
  const first = await radhicalSucceeds(t, runArguments(cohort, out, SETTINGS));
  const report = await readReport(out);
  const testStems = stems.filter((stem) => report.patients.test.includes(stem.split("_")[0] ?? ""));

  await t.test("tells of seven steps in order and ends with the report", () => {
    const steps = first.events.flatMap((event) => (event.event === "step" ? [event.step] : []));
    assert.deepEqual(steps, ["patches", "lists", "databases", "training", "maps", "thresholds", "test"]);
    const last = first.events.at(-1);
    assert.deepEqual(last?.event === "result" ? last.value : undefined, report);
  });

  await t.test("reports every level, thresholds for all of them, and patients that never meet", () => {
    for (const list of [report.patches, report.training])
      assert.deepEqual(
        list.map(({ level }) => level),
        LEVELS,
      );
    for (const { patches, byClass, bytes } of report.patches) {
      assert.equal(
        byClass.reduce((sum, count) => sum + count, 0),
        patches,
      );
      assert.equal(bytes, patches * 3072);
    }
    assert.deepEqual(
      report.patches.map(({ byClass }) => byClass.length),
      [2, 3, 3, 3],
    );
    assert.equal(report.patches[0]?.patches, PATIENTS * 2 * CENTRES * 2, "every centre gives two");
    for (const { lower, upper, final } of [report.thresholds, report.greedy, ...report.tradeoff]) {
      assert.deepEqual([lower.length, upper.length, final.length], [4, 4, 4]);
    }
    assert.equal(report.thresholds.final[0], report.thresholds.lower[0]);
    assert.equal(report.thresholds.upper[0], null);
    assert.ok(report.training.every(({ fold, iterations }) => fold === 2 && iterations === 12));
    assert.deepEqual(
      report.training.map(({ members }) => members),
      [2, 2, 2, 2],
    );
    const { train, validation, test: tested } = report.patients;
    const patients = stems.map((stem) => stem.slice(0, 3));
    assert.deepEqual([...train, ...validation, ...tested].sort(), [...new Set(patients)].sort());
  });

  await t.test("reports for ending at each level what more compute buys, and runs with a point of that", () => {
    for (const level of LEVELS) {
      const front = report.tradeoff.filter(({ endsAt }) => endsAt === level);
      assert.ok(front.length > 0, `level ${level}`);
      for (const [i, { computeFraction, score, final }] of front.entries()) {
        assert.equal(typeof final[level - 1], "number", "what it ends by");
        const before = front[i - 1];
        if (before) assert.ok(computeFraction > before.computeFraction && score > before.score, `level ${level}: ${i}`);
      }
    }
    const finest = report.tradeoff.filter(({ endsAt }) => endsAt === 1);
    assert.ok(finest.length > 1, "nothing to choose from");
    const { lower, upper } = report.thresholds;
    assert.ok(finest.some((point) => isDeepStrictEqual([point.lower, point.upper], [lower, upper])));
  });

  await t.test("grades naive as dense, and counts every pixel once per level", () => {
    const { naive, dense, cascade } = report.test;
    const { seconds: _dense, ...denseGrades } = dense;
    const { seconds: _naive, secondsExtrapolated: _marked, ...naiveGrades } = naive;
    assert.deepEqual(naiveGrades, denseGrades);
    assert.deepEqual(
      dense.perLevel.map(({ computed }) => computed),
      [testStems.length * SIZE * SIZE],
    );
    assert.equal(cascade.perLevel.at(-1)?.computed, testStems.length * Math.ceil(SIZE / 10) ** 2);
    const computed = cascade.perLevel.reduce((sum, level) => sum + level.computed, 0);
    assert.equal(cascade.computeFraction, computed / (testStems.length * SIZE * SIZE));
  });

  await t.test("writes lists by patient and databases that hold what the lists name", async () => {
    const ids = new Map(
      (await lines(join(out, "names.csv")))
        .slice(1)
        .map((line) => line.split(","))
        .map(([id, , patient]) => [id, patient]),
    );
    assert.equal(ids.size, stems.length);
    for (let fold = 1; fold <= 5; fold++) {
      const parents = async (part: string) => lines(join(out, "lists", `${part}_w32_parent_${fold}.txt`));
      const [train, tested] = [await parents("train"), await parents("test")];
      const patientsOf = (part: readonly string[]) => new Set(part.map((stem) => stem.split("_")[0]));
      assert.ok(
        [...patientsOf(train)].every((patient) => !patientsOf(tested).has(patient)),
        `fold ${fold}`,
      );
      for (const level of LEVELS) {
        for (const [part, patients] of [
          ["train", patientsOf(train)],
          ["test", patientsOf(tested)],
        ] as const) {
          for (const line of await lines(join(out, "lists", `level-${level}`, `${part}_w32_${fold}.txt`))) {
            const [, id, label] = /^([0-9a-f]{32})_\d+_(?:0|90)\t([012])$/.exec(line) ?? assert.fail(line);
            assert.ok(level > 1 || label !== "2", line);
            assert.ok(patients.has(ids.get(id)), line);
          }
        }
      }
    }
    const databases = join(out, "databases");
    for (const level of LEVELS) {
      for (const part of ["train", "test"]) {
        const listed = await lines(join(out, "lists", `level-${level}`, `${part}_w32_2.txt`));
        const { entries } = await databaseContent(join(databases, `DB_${part}_2_${level}`));
        assert.equal(entries, listed.length);
      }
    }
    const means = (await readdir(databases)).filter((name) => name.endsWith(".binaryproto")).sort();
    assert.deepEqual(
      means,
      LEVELS.map((level) => `DB_train_w32_2_${level}.binaryproto`),
    );
  });

  await t.test("writes models with manifests and thresholds, and three images per test image", async () => {
    const expected = LEVELS.flatMap((level) => [`fold-2/level-${level}.json`, `fold-2/level-${level}.onnx`]);
    assert.deepEqual(await filesBelow(models), [...expected, "fold-2/thresholds.json"].sort());
    const named = testStems.flatMap((stem) => IMAGE_OUTPUTS.map((suffix) => `${stem}${suffix}`));
    assert.deepEqual((await readdir(join(out, "test"))).sort(), named.sort());
    for (const stem of testStems) await checkImageOutputs(join(out, "test"), stem, SIZE, SIZE, LEVELS);
  });

  await t.test("the same command again computes nothing anew and gives the same bytes", async () => {
    const [result, stamps] = [await readRunResult(out), await objectStamps(out)];
    await radhicalSucceeds(t, runArguments(cohort, out, SETTINGS));
    assert.deepEqual(await readRunResult(out), result);
    assert.deepEqual(await objectStamps(out), stamps);
    assert.deepEqual((await readReport(out)).training, report.training);
  });

  await t.test("another seed gives other folds, patches and models", async () => {
    const other = join(folder, "other");
    await radhicalSucceeds(t, runArguments(cohort, other, [...SETTINGS, "--seed", "2"]));
    const [one, two] = [await readRunResult(out), await readRunResult(other)];
    const changed = Object.keys(one.files).filter((path) => one.files[path] !== two.files[path]);
    for (const level of LEVELS) {
      for (const path of [`models/fold-2/level-${level}.onnx`, `lists/level-${level}/train_w32_2.txt`]) {
        assert.ok(changed.includes(path), path);
      }
    }
    assert.equal(two.files["names.csv"], one.files["names.csv"]);
    const patches = async (place: string) =>
      hashesBelow(join(place, ".radhical", "objects", "patches"), (path) => path.endsWith("/centres~"));
    const [ours, theirs] = [Object.values(await patches(out)), Object.values(await patches(other))];
    assert.equal(ours.length, stems.length);
    assert.ok(ours.every((hash) => !theirs.includes(hash)));
  });

  await t.test("segment gives a test image the same three files as the run did", async () => {
    const [stem = ""] = testStems;
    const segmented = join(folder, "segmented");
    await radhicalSucceeds(t, [
      "segment",
      join(cohort, "images", `${stem}.png`),
      "--models",
      models,
      "--out",
      segmented,
    ]);
    for (const suffix of IMAGE_OUTPUTS) {
      const [ours, theirs] = await Promise.all(
        [segmented, join(out, "test")].map((place) => readFile(join(place, `${stem}${suffix}`))),
      );
      assert.ok(ours && theirs?.equals(ours), suffix);
    }
  });

  await t.test("naive decides every pixel as dense does, unless its probability is at the threshold", async () => {
    const image = await writeTissueImage(folder, "small", 61, 47);
    const segmentAs = async (mode: string) => {
      const place = join(folder, mode);
      await radhicalSucceeds(t, ["segment", image, "--models", models, "--out", place, "--mode", mode]);
      await checkImageOutputs(place, "small", 61, 47, LEVELS);
      const { data: levels } = await readPixels(join(place, "small_level.png"));
      assert.ok(levels.every((level) => level === 1));
      return { ...(await readOnlyTile(place)), mask: await readFile(join(place, "small_mask.png")) };
    };
    const [dense, naive] = [await segmentAs("dense"), await segmentAs("naive")];
    const stored = z.object({ dense: z.object({ lower: z.array(z.number().nullable()) }) });
    const threshold = stored.parse(JSON.parse(await readFile(join(models, "fold-2", "thresholds.json"), "utf8"))).dense
      .lower[0];
    assert.ok(typeof threshold === "number");
    let differing = 0;
    for (const [i, p2] of dense.p2.entries()) {
      // Stored as bytes: numbers that differ by 1e-6 may lie on both sides of a half. exactness.test.ts has the numbers themselves.
      if (!(Math.abs(p2 - (naive.p2[i] ?? Number.NaN)) <= 1))
        assert.fail(`pixel ${i}: ${p2} and ${naive.p2[i]} of 255`);
      if (dense.positive[i] === naive.positive[i]) continue;
      differing++;
      if (Math.abs(p2 - 255 * threshold) > 1)
        assert.fail(`pixel ${i}: ${p2} of 255 decided in two ways at ${threshold}`);
    }
    assert.ok(differing < dense.p2.length / 1000, `${differing} pixels decided in two ways`);
    if (differing === 0) assert.ok(dense.mask.equals(naive.mask));
  });

  await t.test(
    "tiles of any size give an odd large image the same bytes; a size that cannot be is refused",
    async () => {
      const image = await writeTissueImage(folder, "large", 1201, 937);
      const segmentIn = async (name: string, more: readonly string[]) => {
        const place = join(folder, name);
        await radhicalSucceeds(t, ["segment", image, "--models", models, "--out", place, ...more]);
        return Promise.all(
          IMAGE_OUTPUTS.map(async (suffix) => (await readFile(join(place, `large${suffix}`))).toString("base64")),
        );
      };
      const whole = await segmentIn("tiles-default", []);
      await checkImageOutputs(join(folder, "tiles-default"), "large", 1201, 937, LEVELS);
      const { data: levels } = await readPixels(join(folder, "tiles-default", "large_level.png"));
      assert.ok(new Set(levels).size > 1, "one level decided all: nothing was passed down");
      for (const side of ["500", "1000"]) {
        const tiled = await segmentIn(`tiles-${side}`, ["--tile", side]);
        assert.deepEqual(
          tiled.map((file, i) => file === whole[i]),
          [true, true, true],
          `tiles of ${side}`,
        );
      }
      const refused = await radhical(t, [
        "segment",
        image,
        "--models",
        models,
        "--out",
        join(folder, "refused"),
        "--tile",
        "700",
      ]);
      assert.equal(refused.code, 1);
      assert.match(describeFailure(refused), /TILE_INVALID: .*"700".* 500 or 1000$/m);
    },
  );

  await t.test(
    "images narrower than a pixel of the coarsest level, and just wider, work in every mode that walks levels",
    async () => {
      const place = join(folder, "narrow");
      const sizes = [
        [9, 31],
        [10, 10],
        [11, 9],
        [29, 40],
      ] as const;
      for (const [width, height] of sizes)
        await writeTissueImage(join(folder, "narrow-images"), `w${width}`, width, height);
      for (const mode of ["cascade", "dense"]) {
        await radhicalSucceeds(t, [
          "segment",
          join(folder, "narrow-images"),
          "--models",
          models,
          "--out",
          place,
          "--mode",
          mode,
        ]);
        for (const [width, height] of sizes) await checkImageOutputs(place, `w${width}`, width, height, LEVELS);
      }
    },
  );
});
