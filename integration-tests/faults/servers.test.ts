/** @file Broker and S3 server that die or do not answer in the middle of a segmentation: the result is the same bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../../services/lib/method/random.ts";
import { provisionDeployment, serversFromEnvironment } from "../deployment.fixture.ts";
import { startOwnServers } from "../own-servers.fixture.ts";
import { FAULT_LIMIT } from "./fleet.fixture.ts";
import { startS3Proxy, type Weather } from "./s3-proxy.fixture.ts";
import { STEPS, segmentDisturbed, segmentUndisturbed } from "./segmentation.fixture.ts";

const SEED = process.env.FAULTS_SEED ?? "1";
const SETTINGS = { KAFKA_SESSION_TIMEOUT_MS: "6000" };

if (serversFromEnvironment()) {
  test(`servers that die in the middle of a segmentation (seed ${SEED})`, async (t) => {
    const reference = await segmentUndisturbed(t);
    const servers = await startOwnServers(t);
    const random = createRandom("faulty servers", SEED);
    const between = (from: number, to: number): number => Math.floor(from + random.next() * (to - from));

    for (const [name, what] of [
      ["kafka", "the broker"],
      ["minio", "the S3 server"],
    ] as const) {
      await t.test(`${what} is killed`, FAULT_LIMIT, async (t) => {
        const run = await segmentDisturbed(t, reference, await provisionDeployment(t, servers, SETTINGS));
        const step = between(1, STEPS / 2);
        await run.reached(step);
        t.diagnostic(`killed at step ${step}`);
        await servers.restart(name);
        await run.endsAsUndisturbed();
      });
    }

    for (const [weather, lastsMs] of [
      ["busy", 4000],
      ["cut", 2000],
      ["silent", 8000],
    ] satisfies [Weather, number][]) {
      await t.test(`the S3 server is ${weather} for a while`, FAULT_LIMIT, async (t) => {
        const proxy = await startS3Proxy(t, servers.endpoint);
        const settings = { ...SETTINGS, S3_ENDPOINT: proxy.endpoint };
        const run = await segmentDisturbed(t, reference, await provisionDeployment(t, servers, settings));
        const step = between(1, STEPS / 2);
        await run.reached(step);
        t.diagnostic(`${weather} from step ${step} on`);
        proxy.weather = weather;
        await sleep(lastsMs);
        proxy.weather = "pass";
        t.diagnostic(JSON.stringify(proxy.met));
        await run.endsAsUndisturbed();
        assert.ok(proxy.met[weather] > 0);
      });
    }
  });
}
