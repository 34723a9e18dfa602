/** @file A process with parts, for the test of `runUntilSignal`: the argument says how it behaves. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Part, runUntilSignal } from "./lifecycle.ts";
import { createLogger } from "./log.ts";

const [, , mode] = process.argv;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const part = (name: string, stop: () => Promise<void> = async () => undefined): Part => ({
  name,
  stop: async () => {
    say(`stopping ${name}`);
    await stop();
  },
});
const hold = setInterval(() => undefined, 1_000);
const release = async (): Promise<void> => {
  if (mode !== "something is left behind") clearInterval(hold);
};

const parts: Part[] = [part("first", release), part("second"), part("third")];
if (mode === "part fails to stop") parts[1] = part("second", () => Promise.reject(new Error("stuck")));
if (mode === "part hangs" || mode === "part hangs for long") parts[1] = part("second", () => sleep(600_000));
if (mode === "part fails") parts[2] = { ...part("third"), failed: sleep(50).then(() => new Error("lost its broker")) };

setTimeout(() => say("ready"), 20);
await runUntilSignal(parts, createLogger("child", "error"), mode === "part hangs" ? 300 : 30_000);
say("ended");
