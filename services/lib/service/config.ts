/** @file Configuration: the environment, read once in `main.ts`, checked whole, handed on as a plain object. */
import { z } from "zod";
import { invalid } from "../errors.ts";
import { DEFAULT_PREFIX } from "../queue/kafka-names.ts";
import { DEVICES } from "../runtime/provider.ts";
import { AccessSettings, accessProblems, kafkaAccess, s3Access } from "./config-access.ts";

const MAX_PORT = 65_535;
const portOf = (listen: string): number => Number(listen.replace(/^.*:/, ""));
const brokersOf = (list: string): string[] => list.split(",").map((broker) => broker.trim());
/** What Kafka allows in a topic's name, and short enough that every topic and group keeps below its 249 characters. */
const KAFKA_PREFIX = /^[A-Za-z0-9._-]{1,100}$/;

/** A whole number in digits; what zod makes of a blank is 0. */
const wholeNumber = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, { error })
    .transform(Number)
    .pipe(z.int({ error }).min(min, { error }).max(max, { error }));
};
const count = wholeNumber(1, Number.MAX_SAFE_INTEGER);
const smallCount = wholeNumber(1, 1_024);
/** What timers can wait; beyond it they wait not at all. */
const MAX_MS = 2 ** 31 - 1;
/** What goes into a header of gRPC as it is. A secret made by a shell ends with a newline that nobody sees. */
export const Token = z
  .string()
  .min(16, "must have at least 16 characters")
  .regex(
    /^[\x21-\x7e][\x20-\x7e]*[\x21-\x7e]$/,
    "must be of printable ASCII characters, with no blank or newline at its ends",
  );

/** What every process reads. An empty variable counts as unset. */
export const ServiceConfig = z
  .object({
    RADHICAL_LISTEN: z
      .string()
      .regex(/^.+:\d+$/, 'must be "host:port", for instance "127.0.0.1:50051"')
      .refine((listen) => portOf(listen) <= MAX_PORT, `must name a port of at most ${MAX_PORT}`)
      .default("127.0.0.1:50051"),
    RADHICAL_TOKEN: Token.optional(),
    RADHICAL_OBJECTS: z.string().default(".radhical"),
    RADHICAL_LOG_LEVEL: z.enum(["error", "warn", "info", "debug", "silent"]).default("info"),
    RADHICAL_WORKERS: smallCount.optional(),
    RADHICAL_DEVICE: z.enum(DEVICES).default("auto"),
    RADHICAL_MAX_UPLOAD_BYTES: count.default(4 * 2 ** 30),
    RADHICAL_MAX_IMAGE_PIXELS: count.default(1_000_000_000),
    RADHICAL_GRACE_MS: wholeNumber(1, MAX_MS).default(30_000),
    RADHICAL_STALL_MS: wholeNumber(1_000, MAX_MS).default(300_000),
    KAFKA_BROKERS: z
      .string()
      .refine((list) => brokersOf(list).every((broker) => /^.+:\d+$/.test(broker)), 'must be "host:port,host:port,..."')
      .optional(),
    KAFKA_PREFIX: z.string().regex(KAFKA_PREFIX, "must be 1 to 100 of A-Z a-z 0-9 . _ -").default(DEFAULT_PREFIX),
    KAFKA_PARTITIONS: wholeNumber(1, 100_000).default(12),
    KAFKA_REPLICATION: wholeNumber(1, 32_767).optional(),
    KAFKA_SESSION_TIMEOUT_MS: wholeNumber(6_000, 1_800_000).default(30_000),
    S3_ENDPOINT: z.url().optional(),
    S3_REGION: z.string().default("us-east-1"),
    S3_BUCKET: z.string().default("radhical"),
    ...AccessSettings,
  })
  .transform((env) => ({
    listen: {
      host: env.RADHICAL_LISTEN.replace(/:\d+$/, ""),
      port: portOf(env.RADHICAL_LISTEN),
    },
    token: env.RADHICAL_TOKEN,
    logLevel: env.RADHICAL_LOG_LEVEL,
    /** Of this process alone: its objects, unless they lie in S3, and what its own queues remember. */
    folder: env.RADHICAL_OBJECTS,
    graceMs: env.RADHICAL_GRACE_MS,
    stallMs: env.RADHICAL_STALL_MS,
    runtime: { workers: env.RADHICAL_WORKERS, device: env.RADHICAL_DEVICE },
    limits: { uploadBytes: env.RADHICAL_MAX_UPLOAD_BYTES, imagePixels: env.RADHICAL_MAX_IMAGE_PIXELS },
    queue: env.KAFKA_BROKERS
      ? ({
          kind: "kafka",
          brokers: brokersOf(env.KAFKA_BROKERS),
          prefix: env.KAFKA_PREFIX,
          partitions: env.KAFKA_PARTITIONS,
          replication: env.KAFKA_REPLICATION,
          sessionTimeoutMs: env.KAFKA_SESSION_TIMEOUT_MS,
          ...kafkaAccess(env),
        } as const)
      : ({ kind: "in-process" } as const),
    objects: env.S3_ENDPOINT
      ? ({
          kind: "s3",
          endpoint: env.S3_ENDPOINT,
          region: env.S3_REGION,
          bucket: env.S3_BUCKET,
          ...s3Access(env),
        } as const)
      : ({ kind: "folder", folder: env.RADHICAL_OBJECTS } as const),
  }));

export type ServiceConfig = z.output<typeof ServiceConfig>;

/** Returns the checked configuration. Throws CONFIG_INVALID that lists every problem at once. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ServiceConfig {
  const set = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ""),
  );
  const parsed = ServiceConfig.safeParse(set);
  const problems = [
    ...(parsed.error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`),
    ...accessProblems(set),
  ];
  if (parsed.success && problems.length === 0) return parsed.data;
  throw invalid("CONFIG_INVALID", `Cannot start with these settings: ${problems.join("; ")}`);
}
