/** @file How the in-process queue remembers which messages were in hand when the process died. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tally } from "./deliver.ts";
import type { Message } from "./queue.ts";

/** The memory of one message: its deaths so far, and the number of starts to write. */
export interface AttemptsFile {
  readonly tally: Tally;
  record(starts: number): Promise<void>;
  /** Forgets the message: it is done. */
  forget(): Promise<void>;
}

/** Finds the memory of a message. Equal messages of one job share it, which is what lets a message published again be known. */
export type AttemptsFolder = (group: string, topic: string, message: Message) => AttemptsFile;

/**
 * Opens the folder, creating it if need be. It holds a file for every message in hand, and after a death one for every
 * message that was, so it is read once. One process at a time may use it.
 */
export async function openAttemptsFolder(folder: string): Promise<AttemptsFolder> {
  await mkdir(folder, { recursive: true });
  const tallies = new Map<string, Tally>();
  for (const name of await readdir(folder)) {
    // An empty file is one whose writer died in the act: the message had been started.
    tallies.set(name, { deaths: Number.parseInt(await readFile(join(folder, name), "utf8"), 10) || 1 });
  }
  return (group, topic, message) => {
    const name = fileName(group, topic, message);
    const path = join(folder, name);
    const tally = tallies.get(name) ?? { deaths: 0 };
    return {
      tally,
      record: (starts) => (starts === 0 ? rm(path, { force: true }) : writeFile(path, String(starts))),
      forget: async () => {
        tallies.delete(name);
        await rm(path, { force: true });
      },
    };
  };
}

const fileName = (group: string, topic: string, { key, value, headers }: Message): string =>
  createHash("sha256")
    .update(JSON.stringify([group, topic, key, headers?.job ?? null]))
    .update(value)
    .digest("hex");
