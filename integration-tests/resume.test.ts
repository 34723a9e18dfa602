import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../services/lib/method/random.ts";
import {
  COMMAND,
  describeFailure,
  type Ending,
  runArguments,
  start,
  temporaryFolder,
} from "./radhical-command.fixture.ts";
import { readRunResult, readTimelessObjects } from "./result-files.fixture.ts";
import { writeTissueCohort } from "./synthetic-tissue.ts";

const SEED = 20;
/** How often a run is killed in each step; a unit that was in hand three times is a dead letter at its fourth start. */
const KILLS = { patches: 3, lists: 3, databases: 3, training: 4, maps: 2, thresholds: 2, test: 3 } as const;
type Step = keyof typeof KILLS;
/** The latest part of a step to kill at: early where little is left once a unit is done, so that the next kill finds work too. */
const LATEST = {
  patches: 0.4,
  lists: 0.4,
  databases: 0.4,
  training: 0.15,
  maps: 0.12,
  thresholds: 0.12,
  test: 0.3,
} as const;

/** A moment to kill at: a part of the time that the step took undisturbed, from its start or from the next checkpoint on. */
interface Moment {
  readonly step: Step;
  readonly part: number;
  readonly afterCheckpoint: boolean;
}

function seededMoments(): Moment[] {
  const random = createRandom("kills", SEED);
  const steps = Object.entries(KILLS) as [Step, number][];
  return steps.flatMap(([step, count]) =>
    Array.from({ length: count }, (_, i) => {
      // The last two within training hit it between two checkpoints.
      const afterCheckpoint = step === "training" && i >= 2;
      return { step, part: random.next() * LATEST[step], afterCheckpoint };
    }),
  );
}

/** Returns when each step of a run began, in milliseconds from some moment, and when the run ended. */
async function runUndisturbed(t: TestContext, args: readonly string[]) {
  const begunMs = new Map<string, number>();
  const onEvent = (event: Ending["events"][number]): void => {
    if (event.event === "step") begunMs.set(event.step, performance.now());
  };
  const ending = await start(t, COMMAND, [...args, "--json"], { onEvent }).ended;
  assert.equal(ending.code, 0, describeFailure(ending));
  const bounds = [...begunMs.values(), performance.now()];
  return new Map([...begunMs.keys()].map((step, i) => [step, (bounds[i + 1] ?? 0) - (bounds[i] ?? 0)]));
}

async function newestCheckpointMs(out: string): Promise<number> {
  const folder = join(out, ".radhical", "objects", "training");
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const checkpoints = files.filter((file) => /\/checkpoint-[0-9a-f]+~$/.test(file));
  const times = checkpoints.map((file) =>
    stat(join(folder, file))
      .then(({ mtimeMs }) => mtimeMs)
      .catch(() => 0),
  );
  return Math.max(0, ...(await Promise.all(times)));
}

/** Waits until a checkpoint is newer than those there are. */
async function nextCheckpoint(out: string, signal: AbortSignal): Promise<void> {
  const before = await newestCheckpointMs(out);
  while ((await newestCheckpointMs(out)) <= before) await sleep(50, undefined, { signal });
}

/** Runs the command and kills it at a moment. Returns how it ended: of the kill, unless it was over before. */
async function runUntilKilled(t: TestContext, args: readonly string[], out: string, moment: Moment, stepMs: number) {
  const over = new AbortController();
  let checkpointSeen = false;
  const killAtMoment = async (): Promise<void> => {
    if (moment.afterCheckpoint) {
      // A network that is trained before a checkpoint is due is killed all the same.
      const patience = AbortSignal.any([over.signal, AbortSignal.timeout(Math.ceil(2 * stepMs))]);
      checkpointSeen = await nextCheckpoint(out, patience).then(
        () => true,
        () => false,
      );
    }
    await sleep(moment.part * stepMs, undefined, { signal: over.signal }).catch(() => undefined);
    running.child.kill("SIGKILL");
  };
  let killing: Promise<void> | undefined;
  const running = start(t, COMMAND, [...args, "--json"], {
    onEvent: (event) => {
      if (event.event === "step" && event.step === moment.step) killing = killAtMoment();
    },
  });
  const ending = await running.ended;
  over.abort();
  await killing;
  return { ending, checkpointSeen };
}

const lastStep = ({ events }: Ending): string =>
  events.flatMap((event) => (event.event === "step" ? [event.step] : [])).at(-1) ?? "before the first";

/** Runs the command until it ends well: after deaths a unit may be a dead letter, and the next command submits its job again. */
async function runToTheEnd(t: TestContext, args: readonly string[]): Promise<void> {
  let ending: Ending | undefined;
  for (let tries = 0; tries < 4 && ending?.code !== 0; tries++) {
    ending = await start(t, COMMAND, [...args, "--json"]).ended;
  }
  assert.equal(ending?.code, 0, ending && describeFailure(ending));
}

test("killed at 20 moments across the seven steps, a run ends as one that nobody disturbed", async (t) => {
  const folder = await temporaryFolder(t);
  const cohort = join(folder, "cohort");
  // One test patient, five validation images of whole patients, one patient to train on.
  await writeTissueCohort(cohort, { patients: 7, imagesPerPatient: 1, size: 96, seed: SEED });
  const argumentsFor = (out: string): string[] =>
    runArguments(cohort, out, [
      ...["--folds", "7", "--reductions", "1,2,4", "--iterations", "60"],
      ...["--stain-jitter", "0.1", "--averaged-steps", "40"],
    ]);
  const undisturbed = join(folder, "undisturbed");
  const stepsMs = await runUndisturbed(t, argumentsFor(undisturbed));

  const killedIn: string[] = [];
  const failures: string[] = [];
  let checkpoints = 0;
  let folders = 1;
  let out = join(folder, "killed-1");
  for (const moment of seededMoments()) {
    // What is done already makes a step shorter: a kill that came after it is one more, and the next try comes sooner.
    for (let part = moment.part, isHit = false; !isHit; part /= 3) {
      const run = await runUntilKilled(t, argumentsFor(out), out, { ...moment, part }, stepsMs.get(moment.step) ?? 0);
      if (run.ending.signal === "SIGKILL") {
        const step = lastStep(run.ending);
        killedIn.push(step);
        isHit = step === moment.step;
        checkpoints += run.checkpointSeen ? 1 : 0;
      } else if (run.ending.code === 0) {
        // Over before the kill: the next begins anew.
        out = join(folder, `killed-${++folders}`);
      } else {
        failures.push(describeFailure(run.ending));
      }
      assert.ok(failures.length <= 6 && folders <= 10 && killedIn.length <= 40, `${killedIn} ${failures.join("\n")}`);
    }
  }
  await runToTheEnd(t, argumentsFor(out));
  t.diagnostic(`killed in ${killedIn.join(", ")}; ${checkpoints} after a checkpoint; ${failures.length} dead letters`);

  for (const [step, count] of Object.entries(KILLS)) {
    assert.ok(killedIn.filter((killed) => killed === step).length >= count, `${step}: ${killedIn}`);
  }
  for (const failure of failures) assert.match(failure, /worker died 3 times/);
  assert.deepEqual(await readRunResult(out), await readRunResult(undisturbed));
  assert.deepEqual(await readTimelessObjects(out), await readTimelessObjects(undisturbed));
});
