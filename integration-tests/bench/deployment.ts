/** @file A deployment on a real broker and a real S3 server for benchmarks: those of the environment, or a pair started for it. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { openServices, type Services } from "../../services/cli/services.ts";
import type { ObjectStore } from "../../services/lib/objects/object-store.ts";
import { openS3Store } from "../../services/lib/objects/s3-store.ts";
import { publishedMessages } from "../../services/lib/queue/kafka-offsets.fixture.ts";
import type { ServiceName } from "../../services/lib/service/service-names.ts";
import { type Deployment, provisionDeployment, type Servers, serversFromEnvironment } from "../deployment.fixture.ts";
import { startOwnServers } from "../own-servers.fixture.ts";
import { COMMAND, type Undoing } from "../radhical-command.fixture.ts";
import { type Serving, startServing, TOKEN } from "../serving.fixture.ts";

const run = promisify(execFile);
/** Linux gives processor time in hundredths of a second. */
const TICK_SECONDS = 0.01;

/** Processes on one broker and one bucket. */
export interface BenchDeployment extends Deployment, Undoing {
  readonly store: ObjectStore;
  /** Starts a service; on one core only, if that is given. */
  serve(words: readonly string[], core?: number): Promise<Serving>;
  /** Returns clients of services at the addresses of their processes. */
  clients(addresses: Partial<Record<ServiceName, string>>): Promise<Services>;
  /** Returns the messages published so far, by topic. */
  messages(): Promise<Map<string, number>>;
  close(): Promise<void>;
}

/** Returns the servers of the environment, or some of its own, which are stopped at the end. */
async function openServers(t: Undoing): Promise<Servers> {
  const given = serversFromEnvironment();
  if (given) return given;
  process.stderr.write("KAFKA_BROKERS and S3_ENDPOINT are not set: starting servers of its own\n");
  return startOwnServers(t);
}

/** Provisions a deployment with the default number of partitions. */
export async function openDeployment(): Promise<BenchDeployment> {
  const undos: (() => unknown)[] = [];
  const t: Undoing = { after: (undo) => void undos.push(undo) };
  const close = async (): Promise<void> => {
    for (const undo of undos.toReversed()) await undo();
  };
  try {
    const deployment = await provisionDeployment(t, await openServers(t), { KAFKA_PARTITIONS: "12" });
    const { env, bucket } = deployment;
    const store = await openS3Store(bucket);
    t.after(() => store.close());
    return {
      ...deployment,
      ...t,
      store,
      close,
      serve: async (words, core) => {
        const serving = await startServing(t, COMMAND, ["serve", ...words], { RADHICAL_WORKERS: "1", ...env });
        if (core !== undefined) await pin(serving, core);
        return serving;
      },
      clients: async (addresses) => {
        const entries = Object.entries(addresses).map(([name, at]) => [`RADHICAL_${name.toUpperCase()}_ADDRESS`, at]);
        const first = Object.values(addresses)[0];
        const services = await openServices(first, "", { RADHICAL_TOKEN: TOKEN, ...Object.fromEntries(entries) });
        t.after(() => services.close());
        return services;
      },
      messages: () => publishedMessages((env.KAFKA_BROKERS ?? "").split(","), env.KAFKA_PREFIX ?? ""),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Binds all threads of a process to one core; threads that it starts later are bound like the one that starts them. */
async function pin({ child }: Serving, core: number): Promise<void> {
  const processor = String(core % availableParallelism());
  await run("taskset", ["--all-tasks", "--cpu-list", "--pid", processor, String(child.pid)]);
}

/** Stops processes as a scheduler does, so that their group hears of it. */
export async function stopServing(servings: readonly Serving[]): Promise<void> {
  for (const { child } of servings) child.kill("SIGTERM");
  for (const { ended } of servings) await ended;
}

/** Returns the seconds of processor time that a process has taken, all threads. */
export async function cpuSeconds({ child }: Serving): Promise<number> {
  const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
  // The name, in parentheses, may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS;
}
