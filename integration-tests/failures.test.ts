import assert from "node:assert/strict";
import { cp, mkdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import sharp from "sharp";
import { encodePng } from "../services/lib/images/encode-png.ts";
import { encodeLabelPng } from "../services/lib/images/label-png.fixture.ts";
import { encodeResultPng } from "../services/lib/images/result-png.ts";
import { COMMAND, type Ending, radhical, runArguments, start, temporaryFolder } from "./radhical-command.fixture.ts";
import { filesBelow } from "./result-files.fixture.ts";
import { makeTissue, writeTissueCohort } from "./synthetic-tissue.ts";

const SIZE = 48;
/** Three patients of five images are the least that METHOD.md 2 can set validation images aside of. */
const COHORT = { patients: 3, imagesPerPatient: 5, size: SIZE };
const SETTINGS = ["--folds", "3", "--iterations", "1"];

interface Failing {
  readonly name: string;
  /** Spoils the cohort's folder. */
  readonly spoil?: (cohort: string) => Promise<unknown>;
  readonly args?: (args: readonly string[], folder: string) => readonly string[];
  readonly reason: string;
  /** What the message must hold: the file or option, and the cure. */
  readonly says: readonly RegExp[];
  /** True where files have to be read first, so that the first step has begun. */
  readonly afterStart?: boolean;
}

/** The command ends with 1 and one failure with this reason, whose message says all that is asked of it. */
function checkFailure({ code, events, stderr }: Ending, { reason, says, afterStart = false }: Failing): void {
  const failures = events.filter((event) => event.event === "failure");
  assert.equal(failures.length, 1, stderr);
  const [failure] = failures;
  assert.deepEqual({ code, reason: failure?.reason }, { code: 1, reason }, failure?.message);
  for (const pattern of says) assert.match(failure?.message ?? "", pattern);
  const hasBegun = events.some((event) => event.event === "step");
  assert.equal(hasBegun, afterStart, hasBegun ? "work had begun" : "no step had begun");
}

async function checkRun(t: TestContext, failing: Failing): Promise<void> {
  const folder = await temporaryFolder(t);
  const cohort = join(folder, "cohort");
  await writeTissueCohort(cohort, { ...COHORT, seed: 5 });
  await failing.spoil?.(cohort);
  const args = runArguments(cohort, join(folder, "out"), SETTINGS);
  checkFailure(await radhical(t, failing.args?.(args, folder) ?? args), failing);
}

const image = (cohort: string, stem: string): string => join(cohort, "images", `${stem}.png`);
const mask = (cohort: string, stem: string): string => join(cohort, "masks", `${stem}.png`);
const withOption = (name: string, value: string) => (args: readonly string[]) => {
  const at = args.indexOf(name);
  return at < 0 ? [...args, name, value] : args.with(at + 1, value);
};

const BAD_FILES: readonly Failing[] = [
  {
    name: "a pattern without a match",
    args: withOption("--images", "/nowhere/*.png"),
    reason: "FILES_NOT_FOUND",
    says: [/--images "\/nowhere\/\*\.png"/, /quote the pattern/],
  },
  {
    name: "a missing mask",
    spoil: (cohort) => rm(mask(cohort, "p02_1")),
    reason: "MASK_MISSING",
    says: [/1 of 15 images/, /images\/p02_1\.png"/, /a mask has its image's name/],
  },
  {
    name: "a JPEG mask",
    spoil: async (cohort) => {
      await sharp(await readFile(mask(cohort, "p02_1")))
        .toColourspace("b-w")
        .jpeg()
        .toFile(join(cohort, "masks", "p02_1.jpg"));
      await rm(mask(cohort, "p02_1"));
    },
    reason: "IMAGE_UNSUPPORTED",
    says: [/masks\/p02_1\.jpg"/, /PNG/],
    afterStart: true,
  },
  {
    name: "a mask of another size than its image",
    spoil: async (cohort) =>
      writeFile(mask(cohort, "p02_1"), await encodeLabelPng(SIZE, SIZE + 1, new Uint16Array(SIZE * (SIZE + 1)))),
    reason: "SIZE_MISMATCH",
    says: [/images\/p02_1\.png"/, /masks\/p02_1\.png"/, /48x48/, /48x49/],
    afterStart: true,
  },
  {
    name: "a 16-bit image",
    spoil: async (cohort) => {
      const data = Uint16Array.from({ length: SIZE * SIZE * 3 }, (_, i) => i * 7);
      const raw = { width: SIZE, height: SIZE, channels: 3 } as const;
      await sharp(data, { raw }).toColourspace("rgb16").png().toFile(image(cohort, "p02_1"));
    },
    reason: "IMAGE_UNSUPPORTED",
    says: [/images\/p02_1\.png"/, /16 bits per channel/, /save it with 8 bits/],
    afterStart: true,
  },
  {
    name: "a truncated PNG",
    spoil: async (cohort) => {
      const whole = await readFile(image(cohort, "p02_1"));
      await writeFile(image(cohort, "p02_1"), whole.subarray(0, whole.length - 500));
    },
    reason: "IMAGE_UNREADABLE",
    says: [/images\/p02_1\.png"/],
    afterStart: true,
  },
  {
    name: "two images of the same name",
    spoil: async (cohort) => {
      await mkdir(join(cohort, "images", "more"));
      const { image: other } = makeTissue({ width: SIZE, height: SIZE, seed: 99 });
      await writeFile(image(cohort, "more/p02_1"), await encodePng({ ...other, channels: 3 }));
    },
    reason: "NAME_COLLISION",
    says: [/more\/p02_1\.png"/, /"p02_1"; rename one/],
  },
  {
    name: "the same bytes under two patients",
    spoil: async (cohort) => {
      await cp(image(cohort, "p01_1"), image(cohort, "p04_1"));
      await cp(mask(cohort, "p01_1"), mask(cohort, "p04_1"));
    },
    reason: "SAME_IMAGE_TWICE",
    says: [/p01_1\.png"/, /p04_1\.png"/, /patients "p01" and "p04"/, /remove one/],
    afterStart: true,
  },
  {
    name: "a name without a patient",
    spoil: async (cohort) => {
      await rename(image(cohort, "p02_1"), image(cohort, "p02"));
      await rename(mask(cohort, "p02_1"), mask(cohort, "p02"));
    },
    reason: "PATIENT_UNKNOWN",
    says: [/images\/p02\.png"/, /--patient file/],
  },
];

const BAD_OPTIONS: readonly Failing[] = [
  {
    name: "a patient rule that does not match",
    args: withOption("--patient", "case-(\\d+)"),
    reason: "PATIENT_UNKNOWN",
    says: [/p01_1\.png"/, /--patient "case-\(\\d\+\)" does not match/],
  },
  {
    name: "a patient rule that is no rule",
    args: withOption("--patient", "("),
    reason: "PATIENT_RULE_INVALID",
    says: [/--patient "\("/, /"prefix".*"file".*regular expression/],
  },
  {
    name: "more folds than patients",
    args: withOption("--folds", "4"),
    reason: "TOO_FEW_PATIENTS",
    says: [/4 folds of 3 patients/, /--folds 3 or less/],
  },
  {
    name: "a fold beyond the folds",
    args: withOption("--fold", "4"),
    reason: "OPTIONS_INVALID",
    says: [/--fold 4 is beyond --folds 3/],
  },
  {
    name: "reductions that are no list of numbers",
    args: withOption("--reductions", "1,two"),
    reason: "OPTIONS_INVALID",
    says: [/--reductions "1,two" must be whole numbers with commas, for instance "1,2,4,10"/],
  },
  {
    name: "reductions that do not begin with the finest level",
    args: withOption("--reductions", "2,4"),
    reason: "REDUCTIONS_INVALID",
    says: [/"2, 4"/, /the first must be 1/],
  },
  {
    name: "reductions without a common block",
    args: withOption("--reductions", "1,7,11,13,17"),
    reason: "REDUCTIONS_INVALID",
    says: [/choose reductions that divide each other/],
  },
  {
    name: "values that options do not take, all of them at once",
    args: (args) => [...args, "--masks-are", "painted", "--seed", "-1", "--mpp", "0"],
    reason: "OPTIONS_INVALID",
    says: [/--masks-are "painted" must be one of auto, binary, labels/, /--seed "-1" must be/, /--mpp "0" must be/],
  },
  {
    name: "an --out that cannot be a folder",
    args: (args, folder) => withOption("--out", join(folder, "cohort", "images", "p01_1.png"))(args),
    reason: "OUT_UNUSABLE",
    says: [/--out ".*p01_1\.png"/],
  },
];

for (const failing of [...BAD_FILES, ...BAD_OPTIONS]) {
  test(`run refuses ${failing.name}`, (t) => checkRun(t, failing));
}

test("segment refuses an option that does not exist and says where help is", async (t) => {
  const { code, stderr } = await start(t, COMMAND, [
    "segment",
    "x.png",
    "--models",
    "m",
    "--out",
    "o",
    "--modes",
    "dense",
  ]).ended;
  assert.equal(code, 1);
  assert.match(stderr, /unknown option '--modes'/);
  assert.match(stderr, /radhical segment --help/);
});

test("patients that no validation images can be set aside of are refused before anything is read", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTissueCohort(folder, { ...COHORT, imagesPerPatient: 1, seed: 6 });
  const ending = await radhical(t, runArguments(folder, join(folder, "out"), SETTINGS));
  const says = [/validation images aside in fold 1/, /add patients/];
  checkFailure(ending, { name: "", reason: "TOO_FEW_PATIENTS", says });
});

test("a unit of work that fails on the server's side fails the job, says why and ends the command with 1", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTissueCohort(folder, { ...COHORT, seed: 6 });
  const out = join(folder, "out");
  // An imported mask loses its end, as after a disk fault, and another seed wants it again.
  const settings = [...SETTINGS, "--annotation", "complete", "--reductions", "1,2"];
  const whole = await radhical(t, runArguments(folder, out, settings));
  assert.equal(whole.code, 0, whole.stderr);
  const masks = await filesBelow(join(out, ".radhical", "objects", "images"));
  const stored = masks.find((path) => path.endsWith("/mask~"))?.replace(/mask~$/, "source~") ?? "";
  await truncate(join(out, ".radhical", "objects", "images", stored), 100);
  const ending = await radhical(t, runArguments(folder, out, [...settings, "--seed", "2"]));
  const says = [/^Cannot finish patches: 1 of 15 images failed: /, /cut short/];
  checkFailure(ending, { name: "", reason: "JOB_FAILED", says, afterStart: true });
});

test("two runs on one folder at the same time: the second is told that the folder is in use", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTissueCohort(folder, { patients: 6, imagesPerPatient: 2, size: SIZE, seed: 8 });
  const args = runArguments(folder, join(folder, "out"), ["--folds", "6", "--iterations", "5", "--json"]);
  let begun: () => void = () => undefined;
  const started = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const first = start(t, COMMAND, args, { onEvent: () => begun() });
  await Promise.race([started, first.ended]);
  const second = await start(t, COMMAND, args).ended;
  checkFailure(second, { name: "", reason: "FOLDER_IN_USE", says: [/\.radhical"/, /wait for it or choose another/] });
  first.child.kill("SIGKILL");
  assert.equal((await first.ended).signal, "SIGKILL", "the first run had ended before the second was refused");
});

test("segment refuses folders without models, without thresholds and images that are not there", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTissueCohort(folder, { patients: 1, imagesPerPatient: 1, size: SIZE, seed: 9 });
  const picture = join(folder, "images", "p01_1.png");
  const segment = (models: string, images = picture) =>
    radhical(t, ["segment", images, "--models", models, "--out", join(folder, "out")]);
  const missing = { name: "", reason: "MODELS_MISSING" };
  checkFailure(await segment(join(folder, "nowhere")), { ...missing, says: [/"[^"]*nowhere"/] });
  checkFailure(await segment(join(folder, "masks")), {
    ...missing,
    says: [/masks"/, /"models" folder that radhical run wrote/],
  });
  const models = join(folder, "models", "fold-1");
  await mkdir(models, { recursive: true });
  await writeFile(join(models, "level-1.onnx"), "a model");
  await writeFile(join(models, "level-1.json"), "{}");
  checkFailure(await segment(join(folder, "models")), {
    name: "",
    reason: "THRESHOLDS_INVALID",
    says: [/thresholds\.json"/, /run it to its end/],
  });
  checkFailure(await segment(join(folder, "models"), join(folder, "none", "*.tif")), {
    name: "",
    reason: "FILES_NOT_FOUND",
    says: [/none\/\*\.tif"/],
  });
  const results = join(folder, "results");
  await mkdir(results);
  const data = new Uint8Array(SIZE * SIZE);
  const result = await encodeResultPng({ width: SIZE, height: SIZE, channels: 1, data });
  for (const kind of ["prob", "mask", "level"]) await writeFile(join(results, `p01_1_${kind}.png`), result);
  checkFailure(await segment(join(folder, "models"), results), {
    name: "",
    reason: "FILES_NOT_FOUND",
    says: [/results": it stands for nothing but results of earlier segmentations/],
  });
});
