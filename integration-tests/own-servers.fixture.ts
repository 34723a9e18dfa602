/** @file A broker and an S3 server of one test's or benchmark's own, which it may kill. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Servers, serversIn } from "./deployment.fixture.ts";
import type { Undoing } from "./radhical-command.fixture.ts";

const run = promisify(execFile);
/** Beside `dist`, where this file is compiled to. */
const SCRIPTS = fileURLToPath(new URL("../../deploy/local/", import.meta.url));

/** Servers that nobody else uses. */
export interface OwnServers extends Servers {
  /** Kills one and starts it again, with its data. Returns when it answers. */
  restart(name: "kafka" | "minio"): Promise<void>;
}

/** Starts a broker and an S3 server, which end with `t`. This process's environment does not name them: that would be for somebody else to find. */
export async function startOwnServers(t: Undoing): Promise<OwnServers> {
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
