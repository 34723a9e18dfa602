/** @file Threads that score thresholds side by side; what they give does not depend on how many there are. */
import type { Score, ScoreAll } from "../lib/method/evaluator.ts";
import type { Nuclei } from "../lib/method/nuclei.ts";
import { type AskedThread, startThread } from "../lib/threads/asked-thread.ts";
import type { ScoreQuestion, ScoringData } from "./score-messages.ts";

/** Threads with the validation images. */
export interface Scorers {
  /** Throws what scoring threw, or unavailable SCORER_DIED. */
  readonly scoreAll: ScoreAll;
  /** Ends the threads, whatever they do: their work is nobody's any more. Repeatable. */
  stop(): Promise<void>;
}

/** Starts so many threads. Maps and nuclei are best in memory that threads share (`sharedFloats`, `sharedNuclei`), or each has a copy. */
export function openScorers({ images, settings }: ScoringData, threadCount: number): Scorers {
  const threads = Array.from({ length: threadCount }, () =>
    startThread<ScoreQuestion, Score>({
      script: new URL("./score-thread.js", import.meta.url),
      task: "score thresholds",
      deathReason: "SCORER_DIED",
      data: { images, settings } satisfies ScoringData,
    }),
  );
  return {
    scoreAll: async (sets, endsAt, onScored) => {
      const scores = new Array<Score>(sets.length);
      let next = 0;
      const work = async (thread: AskedThread<ScoreQuestion, Score>): Promise<void> => {
        while (next < sets.length) {
          const at = next++;
          scores[at] = await thread.ask({ thresholds: sets[at]!, endsAt });
          await onScored();
        }
      };
      try {
        await Promise.all(threads.map(work));
      } finally {
        next = sets.length; // one that failed ends the others
      }
      return scores;
    },
    stop: async () => {
      await Promise.all(threads.map((thread) => thread.kill()));
    },
  };
}

/** Copies floats into memory that threads share. */
export const sharedFloats = (values: Float32Array): Float32Array => shared(Float32Array, values);

/** Copies the planes of nuclei into memory that threads share. */
export const sharedNuclei = (nuclei: Nuclei): Nuclei => ({
  ...nuclei,
  numbers: shared(Int32Array, nuclei.numbers),
  stretchEnds: shared(Int32Array, nuclei.stretchEnds),
});

function shared<Values extends Float32Array | Int32Array>(
  Kind: new (memory: SharedArrayBuffer) => Values,
  values: Values,
): Values {
  const copy = new Kind(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}
