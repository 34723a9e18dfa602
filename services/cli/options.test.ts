import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkNoArguments,
  checkRunOptions,
  countsOf,
  DoctorOptions,
  parseOptions,
  RunOptions,
  SegmentOptions,
} from "./options.ts";

const REQUIRED = { images: "i", masks: "m", out: "o" };

test("a budget or a floor for the cascade is a number above 0, and not both at once", () => {
  assert.equal(parseOptions(RunOptions, { ...REQUIRED, maxCompute: "0.1" }).maxCompute, 0.1);
  assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, minScore: "0" }), /--min-score "0" must be more than 0/);
  const both = parseOptions(RunOptions, { ...REQUIRED, maxCompute: "0.1", minScore: "0.7" });
  assert.throws(() => checkRunOptions(both), /--max-compute or --min-score, not both/);
  assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, minScore: "70" }), /--min-score "70" must be at most 1/);
  const percent = parseOptions(RunOptions, { ...REQUIRED, maxCompute: "10" });
  assert.throws(() => checkRunOptions(percent), /--max-compute 10 is more than the 1\.32 that all levels together/);
});

test("what is not said has the method's defaults", () => {
  assert.deepEqual(parseOptions(RunOptions, REQUIRED), {
    ...REQUIRED,
    folds: 5,
    fold: 1,
    reductions: [1, 2, 4, 10],
    centres: {},
    iterations: 8_000,
    stainJitter: 0.2,
    averagedSteps: 0,
    maxHole: 150,
    opening: 1,
    neck: 4,
    minNucleus: 60,
    members: 2,
    coarseNetworks: "half",
    annotation: "sparse",
    mpp: 0.25,
    patient: "prefix",
    masksAre: "auto",
    seed: 1,
    json: false,
  });
});

test("a resolution for segment is the models' unless said", () => {
  const options = parseOptions(SegmentOptions, { images: ["a"], models: "m", out: "o" });
  assert.equal(options.mpp, undefined);
  assert.equal(options.mode, "cascade");
});

test("a device is one of those that there are, and nobody's unless said", () => {
  assert.deepEqual(parseOptions(DoctorOptions, { device: "webgpu" }), { device: "webgpu", json: false });
  assert.equal(parseOptions(RunOptions, REQUIRED).device, undefined);
  const message = 'Cannot start: --device "tpu" must be one of auto, cpu, cuda, webgpu';
  assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, device: "tpu" }), { message });
});

test("stain jitter is a number from 0 to 1", () => {
  assert.equal(parseOptions(RunOptions, { ...REQUIRED, stainJitter: "0.3" }).stainJitter, 0.3);
  for (const stainJitter of ["-0.1", "1.1", "much"]) {
    const message = `Cannot start: --stain-jitter "${stainJitter}" must be a number from 0 to 1`;
    assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, stainJitter }), { message });
  }
});

test("all problems are listed at once, with what was given", () => {
  const given = { images: "i", folds: "1", reductions: "1,a", annotation: "all", mpp: "0", masksAre: "x", seed: "1.5" };
  assert.throws(() => parseOptions(RunOptions, given), {
    reason: "OPTIONS_INVALID",
    message: [
      "Cannot start: --masks is required",
      "--out is required",
      '--folds "1" must be a whole number, 2 or more',
      '--reductions "1,a" must be whole numbers with commas, for instance "1,2,4,10"',
      '--annotation "all" must be one of sparse, complete',
      '--mpp "0" must be a number from 0.01 to 100, um/px',
      '--masks-are "x" must be one of auto, binary, labels',
      '--seed "1.5" must be a whole number, 0 or more',
    ].join("; "),
  });
});

test("a number that is none is one problem, not several", () => {
  assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, fold: "zero" }), {
    message: 'Cannot start: --fold "zero" must be a whole number, 1 or more',
  });
});

test("a number of steps that no message can carry is refused", () => {
  assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, iterations: "3000000000" }), /--iterations .* at most/);
});

test("reductions may have spaces", () => {
  assert.deepEqual(parseOptions(RunOptions, { ...REQUIRED, reductions: "1, 2 ,4" }).reductions, [1, 2, 4]);
});

test("reductions must begin at 1 and grow; a fold must be one of the folds", () => {
  const check = (changes: object): void => checkRunOptions({ ...parseOptions(RunOptions, REQUIRED), ...changes });
  check({});
  assert.throws(() => check({ reductions: [2, 4] }), { reason: "REDUCTIONS_INVALID" });
  assert.throws(() => check({ reductions: [1, 4, 2] }), { reason: "REDUCTIONS_INVALID" });
  assert.throws(() => check({ reductions: [1, 2, 4, 8, 16, 32, 64, 128, 256] }), { message: /9 levels, at most 8/ });
  assert.throws(() => check({ fold: 6 }), { message: "Cannot start: --fold 6 is beyond --folds 5" });
});

test("words beside options are taken for an unquoted pattern", () => {
  checkNoArguments([]);
  assert.throws(() => checkNoArguments(["b.png", "c.png"]), {
    reason: "OPTIONS_INVALID",
    message: /"b\.png" and 1 more: .*quote a pattern/,
  });
});

test("an address that a shell left empty is refused, and no patches at all", () => {
  assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, address: "" }), {
    message: /--address "" must be host:port/,
  });
  for (const [centres, message] of [
    ["positive=0,edge=0,background=0", /Cannot learn level 1 from no patches: ask for positive, edge, background/],
    ["nucleus=0,mixed=0,none=0", /the levels above 1 from no patches/],
  ] as const)
    assert.throws(() => checkRunOptions(parseOptions(RunOptions, { ...REQUIRED, centres })), { message });
});

test("a budget that the coarsest level alone exceeds is refused at the start", () => {
  const check = (maxCompute: string): void => checkRunOptions(parseOptions(RunOptions, { ...REQUIRED, maxCompute }));
  assert.throws(() => check("0.01"), {
    message: /--max-compute 0\.01 is no more than the 0\.01 that the coarsest level/,
  });
  check("0.02");
});

test("a resolution of another unit is refused at the start", () => {
  for (const schema of [RunOptions, SegmentOptions])
    assert.throws(() => parseOptions(schema, { ...REQUIRED, models: "m", images: "i", mpp: "250" }), {
      message: /--mpp "250" must be a number from 0.01 to 100/,
    });
});

test("a number that a shell left empty is none, not 0", () => {
  for (const name of [
    "seed",
    "neck",
    "opening",
    "maxHole",
    "minNucleus",
    "averagedSteps",
    "members",
    "stainJitter",
    "mpp",
    "folds",
  ])
    for (const value of ["", " "])
      assert.throws(
        () => parseOptions(RunOptions, { ...REQUIRED, [name]: value }),
        { reason: "OPTIONS_INVALID", message: /^Cannot start: --[a-z-]+ " ?" must be a/ },
        name,
      );
  assert.equal(parseOptions(RunOptions, { ...REQUIRED, neck: " 3 " }).neck, 3);
  assert.throws(() => parseOptions(RunOptions, { ...REQUIRED, neck: "3x" }), { message: /whole number, 0 or more/ });
});

test("counts of centres that are not said are the defaults of the annotation", () => {
  const counts = (centres: string) => countsOf(parseOptions(RunOptions, { ...REQUIRED, centres }));
  const sparse = { positive: 500, edge: 500, background: 150, nucleus: 500, mixed: 500, none: 500 };
  assert.deepEqual(counts("background = 40, none=0"), { ...sparse, background: 40, none: 0 });
  for (const [centres, message] of [
    ["", /--centres "" must be kinds and numbers/],
    ["positive=-1", /must be kinds and numbers/],
    ["positive=5,", /must be kinds and numbers/],
    ["edge=5, edge=6", /--centres "edge=5, edge=6" must name each kind once/],
    ["fat=5", /--centres "fat=5" may name positive, edge, background, nucleus, mixed, none$/],
  ] as const)
    assert.throws(() => counts(centres), { reason: "OPTIONS_INVALID", message });
  const many = parseOptions(RunOptions, { ...REQUIRED, centres: "positive=300000,background=300000" });
  assert.throws(() => checkRunOptions(many), {
    reason: "SAMPLING_INVALID",
    message: /600500 centres \(positive, edge/,
  });
});
