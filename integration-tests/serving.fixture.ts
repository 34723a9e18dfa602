/** @file Services as whole-system tests run them: a process on a port that the system chose, and clients of it. */
import assert from "node:assert/strict";
import { createChannel, createClient } from "nice-grpc";
import { HealthDefinition } from "nice-grpc-server-health";
import type { Output } from "../services/cli/output.ts";
import { openServices, type Services } from "../services/cli/services.ts";
import { COMMAND, type Running, start, temporaryFolder, type Undoing } from "./radhical-command.fixture.ts";

/** The token that callers of served processes send. */
export const TOKEN = "a token for tests only";

/** grpc.health.v1.HealthCheckResponse.ServingStatus, which the library does not export. */
const SERVING = 1;

/** A process that serves. */
export interface Serving extends Running {
  /** "host:port". */
  readonly address: string;
}

/** Returns the address that a line of a log says its process listens on, or undefined. */
export const addressIn = (line: string): string | undefined => {
  if (!line.startsWith("{")) return undefined;
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== "object" || entry === null || !("msg" in entry) || entry.msg !== "listening") return undefined;
  return "address" in entry && typeof entry.address === "string" ? entry.address : undefined;
};

/** Starts a program that serves, its objects in a folder of its own unless `env` says otherwise, and waits until it listens; `onLogLine` gets what it logs. */
export async function startServing(
  t: Undoing,
  program: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  onLogLine: (line: string) => void = () => undefined,
): Promise<Serving> {
  const folder = await temporaryFolder(t);
  let listening: (address: string) => void = () => undefined;
  const address = new Promise<string>((resolve) => {
    listening = resolve;
  });
  const running = start(t, program, args, {
    cwd: folder,
    env: { RADHICAL_LISTEN: "127.0.0.1:0", RADHICAL_OBJECTS: folder, RADHICAL_TOKEN: TOKEN, ...env },
    onErrorLine: (line) => {
      onLogLine(line);
      const found = addressIn(line);
      if (found !== undefined) listening(found);
    },
  });
  const early = running.ended.then(({ code, stderr }) =>
    assert.fail(`ended with ${code} before it listened:\n${stderr}`),
  );
  return { ...running, address: await Promise.race([address, early]) };
}

/** Returns clients of the services at an address; closed when the test ends. */
export async function clientsOf(t: Undoing, address: string, token = TOKEN): Promise<Services> {
  const services = await openServices(address, "", { RADHICAL_TOKEN: token });
  t.after(() => services.close());
  return services;
}

/** Starts all services in a process, with clients of them. */
export async function serveAll(
  t: Undoing,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly serving: Serving; readonly services: Services }> {
  const serving = await startServing(t, COMMAND, ["serve"], env);
  return { serving, services: await clientsOf(t, serving.address) };
}

/** Returns a function that asks for the health of a server, without a token, and says whether it serves. */
export function healthOf(t: Undoing, address: string): () => Promise<boolean> {
  const channel = createChannel(address);
  t.after(() => channel.close());
  const client = createClient(HealthDefinition, channel);
  return async () => (await client.check({ service: "" })).status === SERVING;
}

/** Output that nobody reads. */
export const silent: Output = {
  step: () => undefined,
  progress: () => undefined,
  note: () => undefined,
  result: () => undefined,
  failure: () => undefined,
};
