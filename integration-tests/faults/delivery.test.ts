/** @file Messages that come twice, in any order, or cannot be worked on: all that can be done is done, the same bytes. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createRandom } from "../../services/lib/method/random.ts";
import { openS3Store } from "../../services/lib/objects/s3-store.ts";
import { ImportPurpose } from "../../services/lib/proto/radhical/v1/datasets.ts";
import { JobState } from "../../services/lib/proto/radhical/v1/jobs.ts";
import { ImageDescription } from "../../services/lib/proto/radhical/v1/work.ts";
import { openKafkaQueue } from "../../services/lib/queue/kafka-queue.ts";
import { readConfig } from "../../services/lib/service/config.ts";
import { descriptionKey } from "../../services/lib/service/image-store.ts";
import { ASSEMBLE_TOPIC, allLevels, eventsTopic, levelTopic } from "../../services/lib/service/topics.ts";
import { type Deployment, provisionDeployment, serversFromEnvironment } from "../deployment.fixture.ts";
import { watchToEnd } from "../rpc-jobs.fixture.ts";
import { REDUCTIONS } from "../segment-cascade.fixture.ts";
import { FAULT_LIMIT, startFleet } from "./fleet.fixture.ts";
import { republish } from "./republisher.fixture.ts";
import {
  CASCADE_PROCESSES,
  readLeft,
  STEPS,
  segmentDisturbed,
  segmentUndisturbed,
  TILES,
} from "./segmentation.fixture.ts";

const SEED = process.env.FAULTS_SEED ?? "1";
const SETTINGS = { KAFKA_SESSION_TIMEOUT_MS: "6000" };
const UNRULY = fileURLToPath(new URL("./unruly-service.child.js", import.meta.url));
const TOPICS = [...allLevels().map(levelTopic), ASSEMBLE_TOPIC, eventsTopic("segmentation")];
const LATEST_MS = 3000;
/** Two tiles. */
const SMALL = { width: 620, height: 400 };
const COARSEST = REDUCTIONS.length;

const servers = serversFromEnvironment();

async function openQueue(t: TestContext, { env }: Deployment) {
  const { queue } = readConfig(env);
  if (queue.kind !== "kafka") throw new Error("A deployment has a broker");
  const opened = await openKafkaQueue({ ...queue, clientId: "poisoner" });
  t.after(() => opened.close());
  return opened;
}

if (servers) {
  test(`what is delivered to a segmentation (seed ${SEED})`, async (t) => {
    const reference = await segmentUndisturbed(t);
    const random = createRandom("faulty delivery", SEED);

    await t.test("every message twice", FAULT_LIMIT, async (t) => {
      const deployment = await provisionDeployment(t, servers, SETTINGS);
      const again = await republish(t, deployment, TOPICS, () => 0);
      const run = await segmentDisturbed(t, reference, deployment);
      await run.endsAsUndisturbed({ before: () => again.stop() });
      t.diagnostic(`${again.count} messages came again`);
      assert.ok(again.count > STEPS);
    });

    await t.test("messages in any order, some late a second time", FAULT_LIMIT, async (t) => {
      const deployment = await provisionDeployment(t, servers, SETTINGS);
      const again = await republish(t, deployment, TOPICS, () => LATEST_MS * random.next());
      const run = await segmentDisturbed(t, reference, deployment, (names) =>
        startFleet(t, deployment, names, (name) => ({ main: UNRULY, args: [name, SEED] })),
      );
      await run.endsAsUndisturbed({ before: () => again.stop() });
      assert.ok(again.count > STEPS);
    });

    await t.test("messages that nobody can read among good ones", FAULT_LIMIT, async (t) => {
      const deployment = await provisionDeployment(t, servers, SETTINGS);
      const queue = await openQueue(t, deployment);
      const poison = (headers = {}) => ({ key: `poison-${random.int(1000)}`, value: randomBytes(200), headers });
      const topics = [levelTopic(COARSEST), levelTopic(1), ASSEMBLE_TOPIC, eventsTopic("segmentation")];
      for (const topic of topics)
        await queue.publish(topic, [poison(), poison({ "job-service": "segmentation", job: "../x" })]);
      const run = await segmentDisturbed(t, reference, deployment);
      await run.reached(random.int(STEPS / 2));
      for (const topic of topics) await queue.publish(topic, [poison()]);
      const poisons = 3 * topics.length;
      const { services } = run.fleet;
      const letters = async () => (await services.jobs("segmentation").listDeadLetters({ jobId: "" })).deadLetters;
      while ((await letters()).length < poisons) await sleep(100);
      for (const { jobId, topic, error } of await letters()) {
        assert.equal(jobId, "");
        assert.match(error, new RegExp(`^Cannot read a message of topic "${topic}": `));
      }
      await run.endsAsUndisturbed({ deadLetters: poisons });
    });

    await t.test("tiles whose image is gone, beside tiles of one that is there", FAULT_LIMIT, async (t) => {
      const small = await segmentUndisturbed(t, SMALL, reference.cascade.thresholds);
      const deployment = await provisionDeployment(t, servers, SETTINGS);
      const objects = await openS3Store(deployment.bucket);
      t.after(() => objects.close());
      for (const { copyInputs } of [reference, small]) await copyInputs(objects);
      const { pixelsKey } = ImageDescription.decode(
        await objects.get(descriptionKey(small.imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE)),
      );
      const image = await objects.get(pixelsKey);
      await objects.delete(pixelsKey);
      const { services, stop } = await startFleet(t, deployment, CASCADE_PROCESSES);
      const imageIds = [small.imageId, reference.imageId];
      const { job } = await services.segmentation.submit({ requestId: "gone", imageIds, cascade: reference.cascade });
      const id = job?.id ?? assert.fail("no job");
      const failed = (await watchToEnd(services, id)).at(-1);
      const { state, done, deadUnits, reason } = failed ?? assert.fail("no end");
      assert.deepEqual(
        { state, done, deadUnits },
        { state: JobState.JOB_STATE_FAILED, done: BigInt(TILES), deadUnits: 2n },
      );
      assert.match(reason, new RegExp(`^2 of ${TILES + 2} tiles failed: .*${pixelsKey}`));
      const { deadLetters } = await services.jobs("segmentation").listDeadLetters({ jobId: id });
      assert.deepEqual(
        deadLetters.map(({ topic, unit }) => [topic, unit]),
        [
          [levelTopic(COARSEST), 0],
          [levelTopic(COARSEST), 1],
        ],
      );
      await objects.put(pixelsKey, image);
      await services.jobs("segmentation").replayJob({ jobId: id });
      assert.equal((await watchToEnd(services, id)).at(-1)?.state, JobState.JOB_STATE_SUCCEEDED);
      await stop();
      const { images, ...left } = await readLeft(objects);
      const merged = {
        hashes: { ...reference.left.hashes, ...small.left.hashes },
        tiles: { ...reference.left.tiles, ...small.left.tiles },
      };
      assert.deepEqual(left, { ...merged, states: [] });
      assert.equal(images.length, 2);
    });
  });
}
