/** @file METHOD.md 2: K folds by patient, the validation images of each, and the checks that nothing leaks. */
import { DomainError, invalid } from "../errors.ts";
import { MIN_NUCLEUS_PX } from "./nuclei.ts";
import { createRandom, type Random } from "./random.ts";

/** An image and the patient it belongs to, a number within the cohort. */
export interface PatientImage {
  readonly imageId: string;
  readonly patient: number;
}

/** One of K ways to part a cohort: image ids, ascending. No patient is in two of train, validation and reported. */
export interface Fold {
  /** From 1. */
  readonly fold: number;
  readonly train: string[];
  /** Images on which thresholds are chosen: of the test list, or set aside from the training side. */
  readonly validation: string[];
  readonly test: string[];
  /** Images on which results are reported: the test list without validation patients. */
  readonly reported: string[];
}

/** With at least this many test patients the validation images come from the test list. */
const MIN_TEST_PATIENTS = 20;
/** How many images of the test list begin the validation set, which is then extended to whole patients. */
const VALIDATION_OF_TEST = 10;
/** Least number of validation images that are set aside from the training side. */
const MIN_VALIDATION_IMAGES = 5;
/** Of more training patients than this two are set aside at least: a threshold that suits one patient alone may suit no other. */
const MAX_PATIENTS_FOR_ONE_ASIDE = 4;

/** One patient's images. */
interface Patient {
  readonly patient: number;
  readonly images: readonly string[];
  /** How many of them have annotated nuclei: thresholds are chosen by those alone. */
  readonly withNuclei: number;
}

const hasNuclei = ({ withNuclei }: Patient): boolean => withNuclei > 0;

/**
 * Returns `count` folds: every patient is in the test list of exactly one, the lists balanced by number of images, and validation takes as
 * few patients from the training side as it can; all a function of the images and the seed. Images in `bare` have no annotated nuclei: they
 * are dealt as any, but validation needs its images without them. Throws DomainError TOO_FEW_PATIENTS where the patients cannot fill the folds
 * and their validation sets, NO_NUCLEI where they could if `bare` were empty, SAME_IMAGE_TWO_PATIENTS and IMAGE_TWICE where an image id repeats.
 */
export const splitFolds = (
  images: readonly PatientImage[],
  count: number,
  seed: number | string,
  bare: ReadonlySet<string> = new Set(),
): Fold[] => {
  const patients = groupByPatient(images, bare);
  if (!Number.isSafeInteger(count) || count < 2) {
    throw invalid(
      "TOO_FEW_PATIENTS",
      `Cannot split into "${count}" folds: at least 2 are needed, to test on other patients`,
    );
  }
  if (count > patients.length) {
    throw invalid(
      "TOO_FEW_PATIENTS",
      `Cannot split ${patients.length} patients into ${count} folds: every fold tests on at least one patient; ask for at most ${patients.length} folds`,
    );
  }
  if (!patients.some(hasNuclei))
    throw noNuclei(`none of the ${images.length} images has an annotated nucleus`, patients, bare);
  return dealPatients(patients, count, createRandom("folds", seed)).map((testPatients, i) => {
    const others = patients.filter((patient) => !testPatients.includes(patient));
    return makeFold(i + 1, testPatients, others, bare, createRandom("validation", seed, i + 1));
  });
};

/** Said before anything is trained: without nuclei there is nothing to choose thresholds by. */
const noNuclei = (why: string, patients: readonly Patient[], bare: ReadonlySet<string>): DomainError => {
  const isBare = (image: string): boolean => bare.has(image);
  const example = patients.find(({ images }) => images.some(isBare));
  return invalid(
    "NO_NUCLEI",
    `Cannot split: ${why}; image "${example?.images.find(isBare)}" has none of ${MIN_NUCLEUS_PX} pixels: ` +
      "check that its mask is the right one and not empty, or annotate more patients",
  );
};

const makeFold = (
  fold: number,
  testPatients: Patient[],
  others: Patient[],
  bare: ReadonlySet<string>,
  random: Random,
): Fold => {
  const test = imagesOf(testPatients);
  if (testPatients.filter(hasNuclei).length >= MIN_TEST_PATIENTS) {
    if (!others.some(hasNuclei))
      throw noNuclei(
        `none of fold ${fold}'s ${imagesOf(others).length} training images has an annotated nucleus`,
        others,
        bare,
      );
    const first = new Set(test.filter((image) => !bare.has(image)).slice(0, VALIDATION_OF_TEST));
    const isChosen = ({ images }: Patient) => images.some((image) => first.has(image));
    return {
      fold,
      train: imagesOf(others),
      validation: imagesOf(testPatients.filter(isChosen)),
      test,
      reported: imagesOf(testPatients.filter((patient) => !isChosen(patient))),
    };
  }
  const aside = setAside(others, random);
  if (aside === undefined) throw cannotSetAside(fold, others, bare);
  const train = imagesOf(others.filter((patient) => !aside.includes(patient)));
  return { fold, train, validation: imagesOf(aside), test, reported: [...test] };
};

const cannotSetAside = (fold: number, others: readonly Patient[], bare: ReadonlySet<string>): DomainError => {
  const count = imagesOf(others).length;
  const withNuclei = others.reduce((sum, patient) => sum + patient.withNuclei, 0);
  const needed = `must give at least ${MIN_VALIDATION_IMAGES} images of whole patients and keep one patient`;
  if (withNuclei < count) {
    const some = `${others.filter(hasNuclei).length} of its ${others.length} training patients, in ${withNuclei} of ${count} images`;
    return noNuclei(`fold ${fold} has annotated nuclei of ${some}, which ${needed}`, others, bare);
  }
  return invalid(
    "TOO_FEW_PATIENTS",
    `Cannot set validation images aside in fold ${fold}: its ${others.length} training patients with ${count} images ` +
      `${needed}; add patients or ask for more folds`,
  );
};

/**
 * The smallest set of patients that is enough, for each is one less to learn from: the fewest patients, of such sets the fewest images,
 * of equals one by the seed. Patients and images without nuclei are not counted. Undefined where that is all patients who have some.
 *
 * Exact, as a knapsack: of the sets that are not enough yet, the one with the fewest images for each number of patients and of images that count
 * will do.
 */
const setAside = (patients: readonly Patient[], random: Random): Patient[] | undefined => {
  const candidates = patients.filter(hasNuclei);
  random.shuffle(candidates);
  const leastPatients = candidates.length > MAX_PATIENTS_FOR_ONE_ASIDE ? 2 : 1;
  const growing: PatientSet[] = [{ patients: [], images: 0, withNuclei: 0 }];
  let best: PatientSet | undefined;
  for (const patient of candidates) {
    for (const set of [...growing]) {
      const larger = {
        patients: [...set.patients, patient],
        images: set.images + patient.images.length,
        withNuclei: Math.min(set.withNuclei + patient.withNuclei, MIN_VALIDATION_IMAGES),
      };
      if (larger.withNuclei === MIN_VALIDATION_IMAGES && larger.patients.length >= leastPatients) {
        if (best === undefined || compareSizes(larger, best) < 0) best = larger;
        continue;
      }
      const known = growing.findIndex((other) => counts(other) === counts(larger));
      if (known < 0) growing.push(larger);
      else if (larger.images < growing[known]!.images) growing[known] = larger;
    }
  }
  return best !== undefined && best.patients.length < candidates.length ? best.patients : undefined;
};

interface PatientSet {
  readonly patients: Patient[];
  readonly images: number;
  /** As far as they count: at most as many as are needed. */
  readonly withNuclei: number;
}

const counts = ({ patients, withNuclei }: PatientSet): string => `${patients.length} ${withNuclei}`;

const compareSizes = (a: PatientSet, b: PatientSet): number =>
  a.patients.length - b.patients.length || a.images - b.images;

/** The patients with most images first, each to the fold that has the fewest images so far; equal patients in random order. */
const dealPatients = (patients: readonly Patient[], count: number, random: Random): Patient[][] => {
  const order = [...patients];
  random.shuffle(order);
  order.sort((a, b) => b.images.length - a.images.length);
  const folds = Array.from({ length: count }, () => ({ patients: [] as Patient[], images: 0 }));
  for (const patient of order) {
    const smallest = folds.reduce((least, fold) => (fold.images < least.images ? fold : least));
    smallest.patients.push(patient);
    smallest.images += patient.images.length;
  }
  return folds.map((fold) => fold.patients);
};

const groupByPatient = (images: readonly PatientImage[], bare: ReadonlySet<string>): Patient[] => {
  const patientOf = new Map<string, number>();
  const groups = new Map<number, string[]>();
  for (const { imageId, patient } of images) {
    const known = patientOf.get(imageId);
    if (known === patient)
      throw invalid("IMAGE_TWICE", `Cannot split: image "${imageId}" is in the cohort twice; drop one`);
    if (known !== undefined) {
      throw invalid(
        "SAME_IMAGE_TWO_PATIENTS",
        `Cannot split: image "${imageId}" belongs to patients ${known} and ${patient}; the same bytes in train and test are a leak`,
      );
    }
    patientOf.set(imageId, patient);
    groups.set(patient, [...(groups.get(patient) ?? []), imageId]);
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([patient, ids]) => ({
      patient,
      images: ids.sort(),
      withNuclei: ids.filter((image) => !bare.has(image)).length,
    }));
};

const imagesOf = (patients: readonly Patient[]): string[] => patients.flatMap(({ images }) => images).sort();

/**
 * Checks that no patient is in two of a fold's train, validation and reported lists, nor in train and test, that what is reported is of
 * the test list, and that every patient is tested in exactly one fold. Throws DomainError PATIENT_LEAK (failedPrecondition) that names the patient and the lists.
 */
export const checkFolds = (images: readonly PatientImage[], folds: readonly Fold[]): void => {
  const patientOf = new Map(images.map(({ imageId, patient }) => [imageId, patient]));
  const patientsOf = (list: readonly string[]) =>
    new Set(
      list.map((imageId) => {
        const patient = patientOf.get(imageId);
        if (patient === undefined) throw leak(`image "${imageId}" is not in the cohort`);
        return patient;
      }),
    );
  const testedIn = new Map<number, number>();
  for (const { fold, train, validation, test, reported } of folds) {
    const lists = {
      train: patientsOf(train),
      validation: patientsOf(validation),
      test: patientsOf(test),
      reported: patientsOf(reported),
    };
    const mustNotMeet = [
      ["train", "test"],
      ["train", "reported"],
      ["train", "validation"],
      ["validation", "reported"],
    ] as const;
    for (const [one, other] of mustNotMeet) {
      const shared = [...lists[one]].find((patient) => lists[other].has(patient));
      if (shared !== undefined) throw leak(`patient ${shared} is in both ${one} and ${other} of fold ${fold}`);
    }
    const tested = new Set(test);
    const stranger = reported.find((imageId) => !tested.has(imageId));
    if (stranger !== undefined) throw leak(`image "${stranger}" is reported but not tested in fold ${fold}`);
    for (const patient of lists.test) {
      if (testedIn.has(patient))
        throw leak(`patient ${patient} is tested in folds ${testedIn.get(patient)} and ${fold}`);
      testedIn.set(patient, fold);
    }
  }
  const untested = images.find(({ patient }) => !testedIn.has(patient));
  if (untested !== undefined) throw leak(`patient ${untested.patient} is tested in no fold`);
};

const leak = (why: string): DomainError =>
  new DomainError("failedPrecondition", "PATIENT_LEAK", `Cannot use these folds: ${why}; split the cohort again`);

/** Checks that thresholds are chosen on validation images alone. Throws DomainError TEST_LEAK that names the first other image. */
export const checkValidationOnly = (imageIds: readonly string[], { fold, validation }: Fold): void => {
  const allowed = new Set(validation);
  const stranger = imageIds.find((imageId) => !allowed.has(imageId));
  if (stranger === undefined) return;
  throw invalid(
    "TEST_LEAK",
    `Cannot choose thresholds on image "${stranger}": it is not a validation image of fold ${fold}; evaluate only those`,
  );
};
