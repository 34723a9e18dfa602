/** @file A container of the chart or of compose as a process of this machine: its arguments, its environment, and nothing else. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SERVICE_NAMES } from "../../services/lib/service/service-names.ts";
import { COMMAND, describeFailure, type Running, start, temporaryFolder } from "../radhical-command.fixture.ts";
import { addressIn, clientsOf, healthOf } from "../serving.fixture.ts";
import { ROOT } from "./helm.fixture.ts";

/** What a container is told. */
export interface ContainerProcess {
  readonly name: string;
  /** Arguments of the image's entry point, the command. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How long it is given to end. */
  readonly graceSeconds: number;
}

const HEALTH_MS = 200;

/** Returns a setting as this machine can have it: the container's port, on all addresses, is a free one on loopback, and there is no GPU. */
export function localSetting(name: string, value: string, port: number | undefined): string {
  if (name === "RADHICAL_LISTEN") {
    assert.equal(value, `0.0.0.0:${port}`, "it does not listen on the port that it publishes");
    return "127.0.0.1:0";
  }
  return name === "RADHICAL_DEVICE" && value === "cuda" ? "cpu" : value;
}

/** Fails for a setting that the program never reads: a misspelt one would be passed over in silence. */
export async function checkSettingsAreKnown(names: Iterable<string>): Promise<void> {
  const folder = join(ROOT, "services/lib/service");
  const files = (await readdir(folder)).filter((name) => name.startsWith("config") && !name.endsWith(".test.ts"));
  const sources = (await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")))).join("\n");
  const ours = [...new Set(names)].filter((name) => /^(RADHICAL|KAFKA|S3)_/.test(name));
  const unknown = ours.filter((name) => !new RegExp(`\\b${name}: `).test(sources));
  assert.deepEqual(unknown, [], "the program does not know these settings");
}

/** Starts it where nothing can be written unseen: returns the process, and what looks for files that it left. */
async function startIn(t: TestContext, { name, args, env }: ContainerProcess, onErrorLine: (line: string) => void) {
  const cwd = await temporaryFolder(t);
  const running = start(t, COMMAND, args, { cwd, env, onErrorLine });
  const checkFolder = async (): Promise<void> =>
    assert.deepEqual(await readdir(cwd), [], `${name} writes where a container has a read-only file system`);
  return { running, checkFolder };
}

/** Runs a container that ends by itself, and well. */
export async function runToEnd(t: TestContext, container: ContainerProcess): Promise<string> {
  const { running, checkFolder } = await startIn(t, container, () => undefined);
  const ending = await running.ended;
  assert.equal(ending.code, 0, `${container.name}: ${container.args.join(" ")}\n${describeFailure(ending)}`);
  await checkFolder();
  return ending.stdout;
}

/** Starts a container and waits until its gRPC health says that it serves. Returns a function that ends it, which it must do well and in time. */
export async function runUntilHealthy(t: TestContext, container: ContainerProcess): Promise<() => Promise<void>> {
  const { name, args, env, graceSeconds } = container;
  let listening: (address: string) => void = () => undefined;
  const listens = new Promise<string>((resolve) => {
    listening = resolve;
  });
  const { running, checkFolder } = await startIn(t, container, (line) => {
    const found = addressIn(line);
    if (found !== undefined) listening(found);
  });
  const early = running.ended.then((ending) =>
    assert.fail(`${name} ended with ${ending.code} before it was healthy:\n${describeFailure(ending)}`),
  );
  const address = await Promise.race([listens, early]);
  const isHealthy = healthOf(t, address);
  while (!(await Promise.race([isHealthy(), early]))) await sleep(HEALTH_MS);
  // With the token that callers have, of the secret that the container got it from.
  const { jobs } = await clientsOf(t, address);
  const service = SERVICE_NAMES.find((it) => it === args[1]);
  assert.ok(service, `${name} serves no service`);
  await jobs(service).listJobs({ service });
  early.catch(() => undefined);
  return async () => {
    await endInTime(name, running, graceSeconds);
    assert.ok(env.KAFKA_BROKERS && env.S3_ENDPOINT, `${name} is told of no Kafka or no S3`);
    await checkFolder();
  };
}

async function endInTime(name: string, { child, ended }: Running, graceSeconds: number): Promise<void> {
  child.kill("SIGTERM");
  const waiting = new AbortController();
  const late = sleep(graceSeconds * 1000, undefined, { signal: waiting.signal }).then(
    () => assert.fail(`${name} runs ${graceSeconds} s after SIGTERM, when it would be killed`),
    () => undefined,
  );
  const ending = await Promise.race([ended, late]);
  waiting.abort();
  assert.equal(ending?.code, 0, `${name} ended with ${ending?.code}:\n${ending?.stderr.slice(-2000)}`);
}
