/**
 * @file Every topic of the system, in one place: what services publish to and consume from, and `radhical provision` makes on Kafka. A
 * deployment's prefix is the queue adapter's business.
 */
import type { TopicSpec } from "../queue/topic-spec.ts";
import { SERVICE_NAMES } from "./service-names.ts";

/** Patches of an image. */
export const IMAGE_TOPIC = "extraction.image";
/** Lists of a fold and level. */
export const LIST_TOPIC = "datasets.list";
/** Databases of a fold and level. */
export const DATABASE_TOPIC = "datasets.database";
/** A network of a fold and level, or networks joined to a model. */
export const TRAIN_TOPIC = "training.level";
/** Tiles of an image, joined. */
export const ASSEMBLE_TOPIC = "segmentation.assemble";
/** Thresholds of a fold. */
export const TUNE_TOPIC = "tuning.tune";
/** Grades of an image. */
export const GRADE_TOPIC = "tuning.grade";

/** The most levels a cascade can have: topics exist before anybody asks. */
export const MAX_LEVELS = 8;

/** Returns the topic on which a level's tiles come; one per level, so that every level scales by itself. */
export const levelTopic = (level: number): string => `inference.level-${level}`;

/** Returns the levels from 1 to the most there can be. */
export const allLevels = (): number[] => Array.from({ length: MAX_LEVELS }, (_, i) => i + 1);

/** Returns the topic on which workers tell a service's coordinator about units, keyed by job. */
export const eventsTopic = (service: string): string => `${service}.events`;

const WORK_TOPICS = [
  IMAGE_TOPIC,
  LIST_TOPIC,
  DATABASE_TOPIC,
  TRAIN_TOPIC,
  ...allLevels().map(levelTopic),
  ASSEMBLE_TOPIC,
  TUNE_TOPIC,
  GRADE_TOPIC,
];

/** All topics; each has a dead-letter topic besides. */
export const ALL_TOPICS: readonly TopicSpec[] = [
  ...WORK_TOPICS.map((name) => ({ name, kind: "work" as const })),
  ...SERVICE_NAMES.map((service) => ({ name: eventsTopic(service), kind: "events" as const })),
];
