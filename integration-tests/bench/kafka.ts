/** @file The queue port on a real broker, in messages of 1 KiB, against the one in the process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openInProcessQueue } from "../../services/lib/queue/in-process-queue.ts";
import { openKafkaQueue } from "../../services/lib/queue/kafka-queue.ts";
import type { Message, Queue } from "../../services/lib/queue/queue.ts";
import { IMAGE_TOPIC } from "../../services/lib/service/topics.ts";
import { openDeployment } from "./deployment.ts";
import { type Benchmark, type Timing, timed } from "./measure.ts";

const MESSAGE_BYTES = 1024;
const PER_CALL = 1_000;
const CONCURRENCY = 4;

export const kafka: Benchmark = {
  name: "kafka",
  unit: "message",
  onlyByName: true,
  ratios: [
    { name: "publish, Kafka / in process", of: "publish", to: "publish, in process", by: "rate" },
    { name: "handle, Kafka / in process", of: "handle", to: "handle, in process", by: "rate" },
  ],
  open: async ({ small }) => {
    const count = small ? 2_000 : 20_000;
    const deployment = await openDeployment();
    const brokers = (deployment.env.KAFKA_BROKERS ?? "").split(",");
    const remote = await openKafkaQueue({ brokers, clientId: "bench", prefix: deployment.env.KAFKA_PREFIX ?? "" });
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const local = await openInProcessQueue({ folder });
    await local.requireTopics([IMAGE_TOPIC]);
    return {
      round: async (n) => {
        const [kafkaTimes, localTimes] = [await passOn(remote, count, n), await passOn(local, count, n)];
        return {
          ...kafkaTimes,
          "publish, in process": localTimes.publish,
          "handle, in process": localTimes.handle,
        };
      },
      close: async () => {
        await local.close();
        await remote.close();
        await rm(folder, { recursive: true, force: true });
        await deployment.close();
      },
    };
  },
};

/** Publishes, then handles what was published. The group goes on where it was the round before. */
async function passOn(queue: Queue, count: number, round: number): Promise<{ publish: Timing; handle: Timing }> {
  const messages: Message[] = Array.from({ length: count }, (_, i) => ({
    key: `${round}-${i}`,
    value: new Uint8Array(MESSAGE_BYTES).fill(i),
  }));
  const publish = await timed(count, async () => {
    for (let i = 0; i < count; i += PER_CALL) await queue.publish(IMAGE_TOPIC, messages.slice(i, i + PER_CALL));
  });
  let left = count;
  let startedMs = 0;
  const seconds = await new Promise<number>((resolve, reject) => {
    const consuming = queue.consume({
      topics: [IMAGE_TOPIC],
      group: "bench",
      concurrency: CONCURRENCY,
      handle: async () => {
        // From the first message: joining the group is no part of it.
        if (left === count) startedMs = performance.now();
        if (--left > 0) return;
        const took = (performance.now() - startedMs) / 1_000;
        void consuming.then((consumer) => consumer.stop()).then(() => resolve(took), reject);
      },
    });
    consuming.catch(reject);
  });
  return { publish, handle: { amount: count, seconds } };
}
