/** @file PyTorch in a process beside this one, asked for some work at a time, so that rounds take turns. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { peerPython } from "./python.ts";

/** As a user writes it, or as fast as it is known to go. */
const PYTORCH_KINDS = ["typical", "best"] as const;
type PytorchKind = (typeof PYTORCH_KINDS)[number];

const Answer = z.object({ seconds: z.number() });
/** glibc hands large blocks back to the system after every step otherwise: worth a fifth of PyTorch's time. */
const KEEPS_MEMORY = { MALLOC_TRIM_THRESHOLD_: "4000000000", MALLOC_MMAP_THRESHOLD_: "4000000000" };

export interface PytorchPeer {
  readonly kind: PytorchKind;
  /** Has a piece of work done, in the words of the script. Returns the seconds it took. */
  ask(work: object): Promise<number>;
  close(): void;
}

/** Starts a peer of each kind on a script beside this file; `settings` is the first thing it is told. */
export async function startPytorch(script: string, threads: number, settings: object): Promise<PytorchPeer[]> {
  const python = await peerPython();
  return Promise.all(PYTORCH_KINDS.map((kind) => startPeer(kind, python, script, threads, settings)));
}

async function startPeer(
  kind: PytorchKind,
  python: string,
  script: string,
  threads: number,
  settings: object,
): Promise<PytorchPeer> {
  // compiled to dist; Python reads the source
  const path = fileURLToPath(new URL(`../../../../integration-tests/bench/peers/${script}`, import.meta.url));
  const env = { ...process.env, ...(kind === "best" ? KEEPS_MEMORY : {}), CUDA_VISIBLE_DEVICES: "" };
  const child = spawn(python, [path, String(threads), kind], { stdio: ["pipe", "pipe", "inherit"], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question: object): Promise<number> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error("PyTorch ended; what it said stands above");
    return Answer.parse(JSON.parse(line.value)).seconds;
  };
  await ask(settings);
  return { kind, ask, close: () => child.stdin.end() };
}
