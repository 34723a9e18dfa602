/** @file A broker and an S3 server of one test's own, which it may kill. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Servers, serversIn } from "../deployment.fixture.ts";

const run = promisify(execFile);
/** Beside `dist`, where this file is compiled to. */
const SCRIPTS = fileURLToPath(new URL("../../../deploy/local/", import.meta.url));

/** Servers that the test alone uses. */
export interface OwnServers extends Servers {
  /** Kills one and starts it again, with its data. Returns when it answers. */
  restart(name: "kafka" | "minio"): Promise<void>;
}

/** Starts a broker and an S3 server; they end with the test. */
export async function startOwnServers(t: TestContext): Promise<OwnServers> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-servers-"));
  const env = { ...process.env, RADHICAL_LOCAL_STATE: join(folder, "state") };
  t.after(async () => {
    await run(join(SCRIPTS, "down"), { env });
    await rm(folder, { recursive: true, force: true });
  });
  const { stdout } = await run(join(SCRIPTS, "up"), { env });
  const lines = stdout.split("\n").map((line) => /^export (\w+)=(.*)$/.exec(line));
  const servers = serversIn(Object.fromEntries(lines.flatMap((found) => (found ? [[found[1], found[2]]] : []))));
  if (!servers) throw new Error(`deploy/local/up printed ${stdout}`);
  return { ...servers, restart: async (name) => void (await run(join(SCRIPTS, "restart"), [name, "--kill"], { env })) };
}
