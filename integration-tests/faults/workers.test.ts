/** @file Processes that die or stop in the middle of a segmentation: the result is the same bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../../services/lib/method/random.ts";
import { provisionDeployment, serversFromEnvironment } from "../deployment.fixture.ts";
import { FAULT_LIMIT } from "./fleet.fixture.ts";
import { STEPS, segmentDisturbed, segmentUndisturbed } from "./segmentation.fixture.ts";

const SEED = process.env.FAULTS_SEED ?? "1";
/** The shortest that brokers allow: what died is missed after so long. */
const SESSION_TIMEOUT_MS = 6000;
const SETTINGS = { KAFKA_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS) };
const servers = serversFromEnvironment();

if (servers) {
  test(`processes that die in the middle of a segmentation (seed ${SEED})`, async (t) => {
    const reference = await segmentUndisturbed(t);
    const random = createRandom("faults", SEED);
    const pick = <T>(choices: readonly T[]): T => choices[random.int(choices.length)] ?? assert.fail("no choice");
    const between = (from: number, to: number): number => Math.floor(from + random.next() * (to - from));

    await t.test("an inference worker is killed", FAULT_LIMIT, async (t) => {
      const run = await segmentDisturbed(t, reference, await provisionDeployment(t, servers, SETTINGS));
      for (const step of [between(1, STEPS / 3), between(STEPS / 3, 0.7 * STEPS)]) {
        await run.reached(step);
        t.diagnostic(`killed at step ${step}`);
        pick(run.fleet.of("inference")).signal("SIGKILL");
      }
      await run.endsAsUndisturbed();
    });

    await t.test("the coordinator is killed", FAULT_LIMIT, async (t) => {
      const run = await segmentDisturbed(t, reference, await provisionDeployment(t, servers, SETTINGS));
      const [coordinator] = run.fleet.of("segmentation");
      for (const step of [between(0, STEPS / 3), between(STEPS / 3, 0.8 * STEPS)]) {
        await run.reached(step);
        t.diagnostic(`killed at step ${step}`);
        coordinator?.signal("SIGKILL");
      }
      await run.endsAsUndisturbed();
    });

    for (const [until, goesOn] of [
      ["for longer than its session", () => sleep(1.5 * SESSION_TIMEOUT_MS)],
      ["until the job is over", undefined],
    ] as const) {
      await t.test(`an inference worker is paused ${until}`, FAULT_LIMIT, async (t) => {
        const run = await segmentDisturbed(t, reference, await provisionDeployment(t, servers, SETTINGS));
        const step = between(1, STEPS / 2);
        await run.reached(step);
        const victim = pick(run.fleet.of("inference"));
        t.diagnostic(`paused at step ${step}`);
        victim.signal("SIGSTOP");
        await goesOn?.();
        if (goesOn) victim.signal("SIGCONT");
        await run.endsAsUndisturbed({
          before: async () => {
            if (goesOn) return;
            const before = victim.log.length;
            victim.signal("SIGCONT");
            // It finds that it has been expelled when it has done what it had in hand.
            while (!victim.log.slice(before).some(({ msg }) => msg.includes("re-joining"))) await sleep(50);
            await sleep(2000);
          },
        });
      });
    }
  });
}
