/** @file The script of a thread that draws centres: a large image would keep the main thread, and its health, for seconds. */
import { answerQuestions } from "../lib/threads/answering-thread.ts";
import { type SampledImage, type SampleRequest, sampleImage } from "./sample-image.ts";

answerQuestions<SampleRequest, SampledImage>((request) => ({ answer: sampleImage(request) }));
