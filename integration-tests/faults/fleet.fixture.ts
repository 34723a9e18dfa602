/** @file Processes that can be killed: each is started again when it ends, as a supervisor does. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openServices, type Services } from "../../services/cli/services.ts";
import type { Deployment } from "../deployment.fixture.ts";
import { type Running, serviceMain, start, temporaryFolder } from "../radhical-command.fixture.ts";
import { addressIn, healthOf, TOKEN } from "../serving.fixture.ts";

const RESTART_MS = 200;
const START_LIMIT_MS = 60_000;

/** For a test of a fault: work that does not survive it may wait for ever. Ten times what one takes alone, for others run beside it. */
export const FAULT_LIMIT = { timeout: 450_000 };
/** Below the ports that systems give to outgoing connections: a process finds its port free when it starts again. */
const [FIRST_PORT, LAST_PORT] = [20_000, 29_999];

/** A process that is started again whenever it ends. */
export interface Supervised {
  readonly name: string;
  /** "host:port", the same at every start. */
  readonly address: string;
  /** How often it was started. */
  readonly starts: number;
  /** What it logged, over all starts. */
  readonly log: readonly LogLine[];
  signal(signal: NodeJS.Signals): void;
  /** Returns when the process that runs now listens. */
  listening(): Promise<void>;
  /** Ends it for good. Fails unless it drains and exits with 0. */
  stop(): Promise<void>;
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly text: string;
}

const levelIn = (line: string): LogLine => {
  const entry: unknown = line.startsWith("{") ? JSON.parse(line) : {};
  const fields = typeof entry === "object" && entry !== null ? entry : {};
  const level = "level" in fields && typeof fields.level === "number" ? fields.level : 0;
  return { level, msg: "msg" in fields && typeof fields.msg === "string" ? fields.msg : "", text: line };
};

/** Returns a port that is free now. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer()
        .once("error", () => resolve(false))
        .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** How a process is started. */
export interface Program {
  readonly name: string;
  /** Compiled. */
  readonly main: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a process and keeps it running until it is stopped or the test ends. */
async function supervise(t: TestContext, { name, main, args = [], env }: Program): Promise<Supervised> {
  const folder = await temporaryFolder(t);
  const address = `127.0.0.1:${await freePort()}`;
  const log: LogLine[] = [];
  let starts = 0;
  let isWanted = true;
  let current: Running;
  let isListening: Promise<void>;
  const startAgain = (): void => {
    starts += 1;
    let heard: () => void = () => undefined;
    isListening = new Promise<void>((resolve) => {
      heard = resolve;
    });
    current = start(t, main, args, {
      cwd: folder,
      env: { RADHICAL_TOKEN: TOKEN, RADHICAL_WORKERS: "1", ...env, RADHICAL_LISTEN: address },
      onErrorLine: (line) => {
        log.push(levelIn(line));
        if (addressIn(line) === address) heard();
      },
    });
    void current.ended.then(async () => {
      await sleep(RESTART_MS);
      if (isWanted) startAgain();
    });
  };
  startAgain();
  t.after(() => {
    isWanted = false;
  });
  const listening = async (): Promise<void> => {
    const endMs = Date.now() + START_LIMIT_MS;
    for (;;) {
      // A start that fails is followed by another.
      const isHeard = await Promise.race([isListening.then(() => true), sleep(RESTART_MS).then(() => false)]);
      // What it said may have been said by one that was killed since; and one that answers has its signals in hand.
      if (isHeard && (await healthOf(t, address)().catch(() => false))) return;
      if (Date.now() > endMs) assert.fail(`${name} does not listen:\n${tail(log)}`);
    }
  };
  return {
    name,
    address,
    log,
    listening,
    get starts() {
      return starts;
    },
    signal: (signal) => void current.child.kill(signal),
    stop: async () => {
      await listening();
      isWanted = false;
      current.child.kill("SIGTERM");
      const { code, signal } = await current.ended;
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${name} ended so:\n${tail(log)}`);
    },
  };
}

/** Returns the end of a log. */
export const tail = (log: readonly LogLine[]): string =>
  log
    .slice(-30)
    .map(({ text }) => text)
    .join("\n");

/** Processes of one deployment, and clients of them. */
export interface Fleet {
  readonly services: Services;
  readonly processes: readonly Supervised[];
  /** Returns all processes of a service. */
  of(service: string): readonly Supervised[];
  stop(): Promise<void>;
}

/**
 * Starts a process for each name of a service; a service that is named twice is two processes. `program` says what is run instead of the
 * service's own `main`.
 */
export async function startFleet(
  t: TestContext,
  { env }: Deployment,
  names: readonly string[],
  program: (name: string) => Pick<Program, "main" | "args"> = (name) => ({ main: serviceMain(name) }),
): Promise<Fleet> {
  const processes = await Promise.all(names.map((name) => supervise(t, { name, env, ...program(name) })));
  await Promise.all(processes.map((process) => process.listening()));
  const addresses = processes.map(({ name, address }) => [`RADHICAL_${name.toUpperCase()}_ADDRESS`, address] as const);
  const clientEnv = { ...Object.fromEntries(addresses), RADHICAL_TOKEN: TOKEN };
  const services = await openServices(processes[0]?.address ?? "", "", clientEnv);
  t.after(() => services.close());
  return {
    services,
    processes,
    of: (service) => processes.filter(({ name }) => name === service),
    stop: async () => {
      await Promise.all(processes.map((process) => process.stop()));
    },
  };
}

/** So many messages became dead letters, and nobody ran into a bug. */
export function checkLogs({ processes }: Fleet, deadLetters: number): void {
  const lines = processes.flatMap(({ log }) => log);
  const [letters, bugs] = [/^dead letter$/, /^bug in/].map((wanted) => lines.filter(({ msg }) => wanted.test(msg)));
  assert.deepEqual(bugs, []);
  assert.equal(letters?.length, deadLetters, letters?.map(({ text }) => text).join("\n"));
}
