/** @file PyTorch in a process beside this one, asked for some steps at a time, so that rounds take turns. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { NetworkDescription } from "../../../services/lib/network/network-description.ts";
import { peerPython } from "./python.ts";

const Answer = z.object({ seconds: z.number() });
// compiled to dist; Python reads the source
const SCRIPT = fileURLToPath(new URL("../../../../integration-tests/bench/peers/train_peer.py", import.meta.url));
/** glibc hands large blocks back to the system after every step otherwise: worth a fifth of PyTorch's time. */
const KEEPS_MEMORY = { MALLOC_TRIM_THRESHOLD_: "4000000000", MALLOC_MMAP_THRESHOLD_: "4000000000" };

export interface PytorchPeer {
  /** Takes steps; `graphOnly` on a batch that is ready. Returns the seconds they took. */
  steps(count: number, graphOnly: boolean): Promise<number>;
  close(): void;
}

/** Starts a peer for a network and batch size. */
export async function startPytorch(
  kind: "typical" | "best",
  threads: number,
  network: NetworkDescription,
  batch: number,
): Promise<PytorchPeer> {
  const python = await peerPython();
  const env = { ...process.env, ...(kind === "best" ? KEEPS_MEMORY : {}), CUDA_VISIBLE_DEVICES: "" };
  const child = spawn(python, [SCRIPT, String(threads), kind], { stdio: ["pipe", "pipe", "inherit"], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question: object): Promise<number> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error("PyTorch ended; what it said stands above");
    return Answer.parse(JSON.parse(line.value)).seconds;
  };
  await ask({ network: network.layers, batch, scale: network.inputScale });
  return { steps: (count, graphOnly) => ask({ steps: count, graph_only: graphOnly }), close: () => child.stdin.end() };
}
