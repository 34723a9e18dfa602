import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../errors.ts";
import { checkFolds, checkValidationOnly, type Fold, type PatientImage, splitFolds } from "./folds.ts";
import { createRandom } from "./random.ts";

/** One cohort with as many images per patient as given; ids in random order. */
const cohort = (...imagesPerPatient: number[]): PatientImage[] => {
  const random = createRandom("cohort", ...imagesPerPatient);
  return imagesPerPatient.flatMap((images, patient) =>
    Array.from({ length: images }, () => ({ imageId: random.next().toString(16), patient })),
  );
};

const refusal =
  (reason: string, ...parts: string[]) =>
  (thrown: unknown) =>
    thrown instanceof DomainError && thrown.reason === reason && parts.every((part) => thrown.message.includes(part));

const patientsIn = (images: readonly PatientImage[], list: readonly string[]) =>
  new Set(images.filter(({ imageId }) => list.includes(imageId)).map(({ patient }) => patient));

test("every patient is tested in exactly one fold, lists are balanced, and nothing leaks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 6, maxLength: 60 }),
      fc.integer({ min: 2, max: 5 }),
      fc.integer(),
      (sizes, k, seed) => {
        const images = cohort(...sizes);
        // too small a training side is another test's business
        fc.pre(images.length > 4 * 8 + 5);
        const folds = splitFolds(images, k, seed);
        checkFolds(images, folds);
        assert.deepEqual(folds.flatMap(({ test }) => test).sort(), images.map(({ imageId }) => imageId).sort());
        const numbers = folds.map(({ test }) => test.length);
        assert.ok(Math.max(...numbers) - Math.min(...numbers) <= Math.max(...sizes));
        for (const { train, validation, test, reported } of folds) {
          const aside = patientsIn(images, test).size < 20;
          assert.deepEqual(
            [...train, ...(aside ? validation : []), ...test].sort(),
            images.map(({ imageId }) => imageId).sort(),
          );
          assert.deepEqual([...reported, ...(aside ? [] : validation)].sort(), test);
          assert.ok(train.length > 0 && reported.length > 0 && validation.length >= 5);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("is a function of the set of images and the seed", () => {
  const images = cohort(3, 3, 4, 4, 5, 5, 2, 2);
  assert.deepEqual(splitFolds([...images].reverse(), 4, 1), splitFolds(images, 4, 1));
  assert.notDeepEqual(splitFolds(images, 4, 2), splitFolds(images, 4, 1));
});

/** What is enough to validate on: two patients where more than four are at hand, and five images, of those that have nuclei. */
const isEnough = (patients: number, images: number, atHand: number): boolean =>
  patients >= (atHand > 4 ? 2 : 1) && images >= 5;

test("sets aside the fewest patients that are enough, and of those the fewest images", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 4, maxLength: 12 });
  fc.assert(
    fc.property(sizes, fc.integer(), (imagesPerPatient, seed) => {
      const images = cohort(...imagesPerPatient);
      fc.pre(images.length >= 26);
      for (const { train, validation } of splitFolds(images, 2, seed)) {
        const sizesIn = (list: readonly string[]) => [...patientsIn(images, list)].map((p) => imagesPerPatient[p]!);
        const [aside, left] = [sizesIn(validation), sizesIn(train)];
        const atHand = aside.length + left.length;
        const enough = subsets([...aside, ...left]).filter((set) => isEnough(set.length, sum(set), atHand));
        const fewest = Math.min(...enough.map((set) => set.length));
        assert.equal(aside.length, fewest);
        assert.equal(sum(aside), Math.min(...enough.filter((set) => set.length === fewest).map(sum)));
      }
    }),
    { numRuns: 60 },
  );
});

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const subsets = (values: readonly number[]): number[][] =>
  Array.from({ length: 2 ** values.length }, (_, mask) => values.filter((_value, i) => (mask >> i) & 1));

test("images without nuclei count for nothing in validation, and training keeps a patient who has some", () => {
  const patient = fc.record({ withNuclei: fc.nat(4), without: fc.nat(4) }).filter((n) => n.withNuclei + n.without > 0);
  fc.assert(
    fc.property(fc.array(patient, { minLength: 4, maxLength: 9 }), fc.integer(), (patients, seed) => {
      const images = cohort(...patients.map(({ withNuclei, without }) => withNuclei + without));
      const bare = bareImages(images, (number) => patients[number]!.without);
      fc.pre(images.length - bare.size > 0);
      let folds: Fold[];
      try {
        folds = splitFolds(images, 2, seed, bare);
      } catch (error) {
        assert.ok(error instanceof DomainError && /^(NO_NUCLEI|TOO_FEW_PATIENTS)$/.test(error.reason));
        return;
      }
      checkFolds(images, folds);
      for (const { train, validation } of folds) {
        const numbersIn = (list: readonly string[]) => [...patientsIn(images, list)];
        const aside = numbersIn(validation);
        const atHand = [...aside, ...numbersIn(train)].filter((n) => patients[n]!.withNuclei > 0);
        const sizeOf = (set: readonly number[]) => sum(set.map((n) => patients[n]!.withNuclei + patients[n]!.without));
        const enough = subsets(atHand).filter((set) =>
          isEnough(set.length, sum(set.map((n) => patients[n]!.withNuclei)), atHand.length),
        );
        const fewest = Math.min(...enough.map((set) => set.length));
        const least = Math.min(...enough.filter((set) => set.length === fewest).map(sizeOf));
        assert.ok(validation.filter((image) => !bare.has(image)).length >= 5);
        assert.deepEqual([aside.length, validation.length], [fewest, least]);
        assert.ok(train.some((image) => !bare.has(image)));
      }
    }),
    { numRuns: 300 },
  );
});

/** The first images of each patient, as many as told. */
const bareImages = (images: readonly PatientImage[], count: (patient: number) => number): Set<string> =>
  new Set(
    [...new Set(images.map(({ patient }) => patient))].flatMap((patient) =>
      images
        .filter((image) => image.patient === patient)
        .slice(0, count(patient))
        .map(({ imageId }) => imageId),
    ),
  );

test("a patient whose images have no nuclei never validates, whatever the seed", () => {
  const images = cohort(5, 6, 6, 6, 6);
  const bare = bareImages(images, (patient) => (patient === 0 ? 5 : 0));
  for (let seed = 0; seed < 30; seed++) {
    for (const { validation } of splitFolds(images, 2, seed, bare)) {
      assert.ok(!patientsIn(images, validation).has(0));
    }
  }
});

test("with 20 test patients who have nuclei, the first 10 images of the test list that have some validate", () => {
  const images = cohort(...new Array(50).fill(3));
  const bare = bareImages(images, (patient) => (patient < 6 ? 3 : 1));
  for (const { test: tested, validation, reported } of splitFolds(images, 2, 1, bare)) {
    const first = tested.filter((image) => !bare.has(image)).slice(0, 10);
    assert.deepEqual(patientsIn(images, validation), patientsIn(images, first));
    assert.equal(reported.length, tested.length - validation.length);
  }
  const fewer = bareImages(images, (patient) => (patient < 15 ? 3 : 1));
  for (const { train, validation } of splitFolds(images, 2, 1, fewer)) {
    assert.equal(patientsIn(images, train).size + patientsIn(images, validation).size, 25, "set aside from training");
  }
});

test("refuses where nuclei are nowhere, or too few to validate and to learn from, naming what to look at", () => {
  const images = cohort(6, 6, 6, 6);
  const all = bareImages(images, () => 6);
  const cure = "check that its mask is the right one";
  assert.throws(() => splitFolds(images, 2, 1, all), refusal("NO_NUCLEI", "none of the 24 images", cure));
  const one = bareImages(images, (patient) => (patient === 0 ? 0 : 6));
  assert.throws(
    () => splitFolds(images, 2, 1, one),
    refusal("NO_NUCLEI", "of its 2 training patients", "in 6 of 12 images", cure),
  );
  const many = cohort(...new Array(60).fill(1));
  const tested = new Set(splitFolds(many, 2, 1)[0]!.test);
  const untested = new Set(many.map(({ imageId }) => imageId).filter((image) => !tested.has(image)));
  assert.throws(() => splitFolds(many, 2, 1, untested), refusal("NO_NUCLEI", "fold 1's 30 training images", cure));
});

test("equal choices are made by the seed", () => {
  const images = cohort(...new Array(12).fill(6));
  const chosen = (seed: number) => splitFolds(images, 2, seed).map(({ validation }) => validation);
  assert.notDeepEqual(chosen(1), chosen(2));
  const indices = (seed: number) => chosen(seed).flatMap((list) => [...patientsIn(images, list)]);
  assert.ok(new Set(Array.from({ length: 20 }, (_, seed) => indices(seed)).flat()).size > 6);
});

test("with 20 test patients the first 10 images of the test list, extended to whole patients, validate", () => {
  const images = cohort(...new Array(40).fill(3));
  for (const { test: tested, validation, reported } of splitFolds(images, 2, 1)) {
    const chosen = patientsIn(images, tested.slice(0, 10));
    assert.deepEqual(patientsIn(images, validation), chosen);
    assert.equal(validation.length, 3 * chosen.size);
    assert.equal(reported.length, tested.length - validation.length);
  }
});

test("with fewer, whole training patients of at least 5 images are set aside and the test list is reported whole", () => {
  const images = cohort(...new Array(38).fill(3));
  for (const { test: tested, validation, train, reported } of splitFolds(images, 2, 1)) {
    assert.equal(validation.length, 6);
    assert.equal(patientsIn(images, validation).size, 2);
    assert.equal(train.length, 51);
    assert.deepEqual(reported, tested);
  }
});

test("leaves the patient with the fewest images to train on where all but one must be set aside", () => {
  for (let seed = 0; seed < 20; seed++) {
    for (const { train, validation } of splitFolds(cohort(4, 4, 4, 1, 1, 1), 3, seed)) {
      assert.ok(train.length >= 1 && validation.length >= 5);
    }
  }
});

test("refuses more folds than patients, fewer than 2, and cohorts that leave nothing to train on", () => {
  assert.throws(() => splitFolds(cohort(9, 9, 9), 4, 1), refusal("TOO_FEW_PATIENTS", "3 patients", "4 folds"));
  for (const k of [1, 0, 2.5])
    assert.throws(() => splitFolds(cohort(9, 9, 9), k, 1), refusal("TOO_FEW_PATIENTS", `"${k}"`));
  assert.throws(() => splitFolds(cohort(9, 9), 2, 1), refusal("TOO_FEW_PATIENTS", "keep one patient"));
  assert.throws(() => splitFolds(cohort(1, 1, 1, 1), 2, 1), refusal("TOO_FEW_PATIENTS", "5 images"));
});

test("refuses an image that is there twice", () => {
  const images = cohort(5, 5, 5);
  const { imageId, patient } = images[0]!;
  assert.throws(
    () => splitFolds([...images, { imageId, patient: patient + 1 }], 2, 1),
    refusal("SAME_IMAGE_TWO_PATIENTS", imageId),
  );
  assert.throws(() => splitFolds([...images, { imageId, patient }], 2, 1), refusal("IMAGE_TWICE", imageId));
});

test("finds every kind of leak", () => {
  const images = cohort(6, 6, 6, 6);
  const folds = splitFolds(images, 2, 1);
  const first = folds[0]!;
  const isLeak = (changed: Partial<typeof first>, ...parts: string[]) =>
    assert.throws(() => checkFolds(images, [{ ...first, ...changed }, folds[1]!]), refusal("PATIENT_LEAK", ...parts));
  isLeak({ train: [...first.train, first.test[0]!] }, "train and test");
  isLeak({ train: [...first.train, first.validation[0]!] }, "train and validation");
  isLeak({ validation: [...first.validation, first.reported[0]!] }, "validation and reported");
  isLeak({ reported: [...first.reported, first.train[0]!] }, "train and reported");
  isLeak({ test: first.test.slice(1) }, first.test[0]!, "not tested");
  isLeak({ test: [...first.test, "stranger"] }, "stranger");
  isLeak({ train: [], validation: [], test: images.map(({ imageId }) => imageId) }, "tested in folds 1 and 2");
  assert.throws(() => checkFolds(images, [first]), refusal("PATIENT_LEAK", "in no fold"));
});

test("refuses thresholds chosen on anything but validation images", () => {
  const fold = splitFolds(cohort(6, 6, 6, 6), 2, 1)[0]!;
  checkValidationOnly(fold.validation, fold);
  for (const stranger of [fold.test[0]!, fold.train[0]!]) {
    assert.throws(() => checkValidationOnly([...fold.validation, stranger], fold), refusal("TEST_LEAK", stranger));
  }
});
