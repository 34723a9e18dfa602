/** @file The compiled `radhical` command as whole-system tests run it: a child process, its events, its end. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const servicesFolder = new URL("../services/", import.meta.url);

/** The compiled command. */
export const COMMAND = fileURLToPath(new URL("cli/main.js", servicesFolder));

/** Returns the compiled `main` of a service. */
export const serviceMain = (name: string): string => fileURLToPath(new URL(`${name}/main.js`, servicesFolder));

const CommandEvent = z.discriminatedUnion("event", [
  z.object({ event: z.literal("step"), step: z.string(), number: z.int(), of: z.int() }),
  z.object({
    event: z.literal("progress"),
    what: z.string(),
    done: z.number(),
    total: z.number(),
    unit: z.string(),
    detail: z.string(),
  }),
  z.object({ event: z.literal("note"), text: z.string() }),
  z.object({ event: z.literal("result"), value: z.unknown() }),
  z.object({ event: z.literal("failure"), reason: z.string(), message: z.string() }),
]);

/** What undoes things when it ends: a test, or a benchmark. */
export interface Undoing {
  after(undo: () => unknown): void;
}

/** A line of the command's `--json` output. */
export type CommandEvent = z.output<typeof CommandEvent>;

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it told with `--json`, in order; none without it. */
  readonly events: readonly CommandEvent[];
  readonly stdout: string;
  readonly stderr: string;
}

/** A process under test. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ending>;
}

/** How a process is started. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly onEvent?: (event: CommandEvent) => void;
  readonly onErrorLine?: (line: string) => void;
}

/** The environment without what would choose adapters, addresses or tokens: a test says what it wants of these. */
function plainEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(RADHICAL|KAFKA|S3|OTEL|NODE_TEST)_/.test(entry[0]),
  );
  return Object.fromEntries(entries);
}

/** Starts a compiled program; it is killed when the test ends. */
export function start(t: Undoing, program: string, args: readonly string[], options: StartOptions = {}): Running {
  const child = spawn(process.execPath, ["--enable-source-maps", program, ...args], {
    cwd: options.cwd,
    env: { ...plainEnvironment(), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const isJson = args.includes("--json");
  const events: CommandEvent[] = [];
  const lines = { stdout: "", stderr: "" };
  createInterface(child.stdout).on("line", (line) => {
    lines.stdout += `${line}\n`;
    if (!isJson) return;
    const event = CommandEvent.parse(JSON.parse(line));
    events.push(event);
    options.onEvent?.(event);
  });
  createInterface(child.stderr).on("line", (line) => {
    lines.stderr += `${line}\n`;
    options.onErrorLine?.(line);
  });
  const ended = new Promise<Ending>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, events, ...lines }));
  });
  return { child, ended };
}

/** Runs the command with `--json` to its end, whatever that is. */
export function radhical(t: Undoing, args: readonly string[], options: StartOptions = {}): Promise<Ending> {
  return start(t, COMMAND, [...args, "--json"], options).ended;
}

/** Runs the command with `--json`; fails the test unless it ends well. */
export async function radhicalSucceeds(
  t: Undoing,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Ending> {
  const ending = await radhical(t, args, options);
  assert.equal(ending.code, 0, `${args.join(" ")}\n${describeFailure(ending)}`);
  return ending;
}

/** Returns what a process said of its failure. */
export const describeFailure = ({ events, stderr }: Ending): string =>
  [...events.map((event) => (event.event === "failure" ? `${event.reason}: ${event.message}` : "")), stderr]
    .filter((line) => line !== "")
    .join("\n");

/** Returns an empty folder that vanishes with the test. */
export async function temporaryFolder(t: Undoing): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-test-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** A twentieth of the default counts or so: what these tests ask does not depend on how much is learnt from. */
const FEW_CENTRES = "positive=80,edge=50,background=120,nucleus=50,mixed=80,none=120";

/** Returns the arguments of `radhical run` on a folder that `writeTissueCohort` filled, with few centres in each image. */
export const runArguments = (cohort: string, out: string, more: readonly string[]): string[] => [
  "run",
  ...["--images", join(cohort, "images"), "--masks", join(cohort, "masks"), "--out", out, "--annotation", "complete"],
  ...["--centres", FEW_CENTRES],
  ...more,
];
