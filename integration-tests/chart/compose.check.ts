/** @file deploy/compose.yaml as Docker's own reader understands it, and every container of ours in it as a process against real servers. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { SERVICE_NAMES } from "../../services/lib/service/service-names.ts";
import { TOKEN } from "../serving.fixture.ts";
import {
  type ContainerProcess,
  checkSettingsAreKnown,
  localSetting,
  runToEnd,
  runUntilHealthy,
} from "./container.fixture.ts";
import { ROOT, runTool, tool } from "./helm.fixture.ts";
import { type LocalServers, localServers } from "./local-servers.fixture.ts";

const DEPLOY = join(ROOT, "deploy");

const Service = z.object({
  image: z.string(),
  build: z.object({ dockerfile: z.string() }).optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.object({ host_ip: z.string().optional(), target: z.number() })).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ disable: z.boolean().default(false) }).optional(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  stop_grace_period: z.string().optional(),
});
type Service = z.output<typeof Service>;

/** Returns the services, as the reader has them: merged and checked, variables still in them. */
async function readCompose(): Promise<Readonly<Record<string, Service>>> {
  const args = ["-no-interpolation", "-format", "json", "compose.yaml"];
  const { code, stdout, stderr } = await runTool(tool("COMPOSE_SPEC"), args, "", DEPLOY);
  assert.equal(code, 0, stderr);
  return z.object({ services: z.record(z.string(), Service) }).parse(JSON.parse(stdout)).services;
}

const VARIABLE = /\$\{(\w+)(?::([-?])([^}]*))?\}/g;

/** Returns the text with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` in compose's sense. */
const interpolated = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replace(VARIABLE, (_, name: string, kind: string | undefined, rest: string | undefined) => {
    const value = variables[name] || (kind === "-" ? rest : undefined);
    assert.ok(value !== undefined, `${name} has neither a value nor a default`);
    return value;
  });

const isOurs = ({ build }: Service): boolean => build?.dockerfile === "deploy/Dockerfile";
const runsOn = ({ healthcheck }: Service): boolean => healthcheck?.disable !== true;

/** Returns a container as a process, its servers' names in compose's network replaced by where they are here. */
function composeProcess(name: string, service: Service, servers: LocalServers): ContainerProcess {
  const keys = servers.secrets["radhical-s3"] ?? {};
  const variables = {
    RADHICAL_TOKEN: TOKEN,
    S3_ACCESS_KEY: keys["access-key"] ?? "",
    S3_SECRET_KEY: keys["secret-key"] ?? "",
    S3_BUCKET: servers.place,
  };
  const here = new Map([
    ["kafka:9092", servers.brokers],
    ["http://minio:9000", servers.endpoint],
  ]);
  const settings = Object.entries(service.environment)
    .filter(([setting]) => !setting.startsWith("OTEL_"))
    .map(([setting, text]) => {
      const value = interpolated(text, variables);
      return [setting, here.get(value) ?? localSetting(setting, value, 50_051)];
    });
  const env = { ...Object.fromEntries(settings), KAFKA_PREFIX: servers.place };
  return { name, args: service.command, env, graceSeconds: Number.parseInt(service.stop_grace_period ?? "10s", 10) };
}

test("compose.yaml serves every service, and one process for each level", async () => {
  const services = Object.values(await readCompose()).filter((it) => isOurs(it) && runsOn(it));
  assert.deepEqual([...new Set(services.map(({ command }) => command[1]))].sort(), [...SERVICE_NAMES].sort());
  const levels = services.filter(({ command }) => command[1] === "inference").map(({ command }) => command[3]);
  assert.deepEqual(levels, ["1", "2", "3", "4"]);
});

test("nothing that compose.yaml starts is reached from beyond this machine", async () => {
  for (const [name, { ports }] of Object.entries(await readCompose()))
    for (const { host_ip, target } of ports) assert.equal(host_ip, "127.0.0.1", `${name}: ${target}`);
});

test("every image is pinned, and another one can be named", async () => {
  for (const [name, { image }] of Object.entries(await readCompose()))
    assert.match(image, /^\$\{[A-Z]+_IMAGE:-[a-z/-]+:v?\d[\w.-]*\}$/, name);
});

test("what compose.yaml pins is what is tested", async () => {
  const version = (await readFile(join(DEPLOY, "local/fetch.sh"), "utf8")).match(/^minio_version=(\S+)$/m)?.[1] ?? "";
  const services = await readCompose();
  assert.ok(services.minio?.image.includes(version));
  assert.ok((await readFile(join(DEPLOY, "compose/minio.Dockerfile"), "utf8")).includes(`MINIO_VERSION=${version}\n`));
  const kafka = (await readFile(join(DEPLOY, "local/kafka/pom.xml"), "utf8")).match(
    /kafka_2\.13<.*?<version>([\d.]+)</s,
  )?.[1];
  assert.ok(kafka && services.kafka?.image.includes(`:${kafka}}`));
  const base = (await readFile(join(DEPLOY, "Dockerfile"), "utf8")).match(/^ARG BASE_IMAGE=(\S+)$/m)?.[1] ?? "?";
  assert.ok((await readFile(join(DEPLOY, "compose.yaml"), "utf8")).includes(`\${NODE_IMAGE:-${base}}`));
});

test("our containers have a read-only file system and no capabilities, and wait for healthy servers and for topics", async () => {
  for (const [name, service] of Object.entries(await readCompose())) {
    if (!isOurs(service)) continue;
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    const { kafka, minio, provision } = service.depends_on;
    assert.deepEqual([kafka?.condition, minio?.condition], ["service_healthy", "service_healthy"], name);
    assert.equal(provision?.condition, runsOn(service) ? "service_completed_successfully" : undefined, name);
  }
});

test("every container of ours runs until it is healthy, and ends in time", async (t) => {
  const servers = await localServers("laptop");
  const services = Object.entries(await readCompose()).filter(([, service]) => isOurs(service));
  await checkSettingsAreKnown(services.flatMap(([, { environment }]) => Object.keys(environment)));
  for (const [name, service] of services)
    if (!runsOn(service)) await runToEnd(t, composeProcess(name, service, servers));
  const ends = await Promise.all(
    services
      .filter(([, service]) => runsOn(service))
      .map(([name, service]) => runUntilHealthy(t, composeProcess(name, service, servers))),
  );
  assert.equal(ends.length, 9);
  await Promise.all(ends.map((end) => end()));
});
