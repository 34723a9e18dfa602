/** @file The script of a thread that scores thresholds on the validation images. */
import { workerData } from "node:worker_threads";
import { createScorer, type Score } from "../lib/method/evaluator.ts";
import { type Answered, answerQuestions } from "../lib/threads/answering-thread.ts";
import type { ScoreQuestion, ScoringData } from "./score-messages.ts";

const { images, settings } = workerData as ScoringData;
const score = createScorer(images, settings);

answerQuestions(({ thresholds, endsAt }: ScoreQuestion): Answered<Score> => ({ answer: score(thresholds, endsAt) }));
