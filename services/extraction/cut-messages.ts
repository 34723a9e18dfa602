/** @file What the main thread and a thread that cuts patches say to each other: one reply to each message but `stop`. */
import type { SamplingRequest, Shortfall } from "../lib/method/sampling.ts";
import type { CutLevel } from "./cut-image.ts";

/** To the thread: begin an image, go on to its next level, end. */
export type ToCutThread =
  | { readonly kind: "cut"; readonly request: SamplingRequest }
  | { readonly kind: "next" }
  | { readonly kind: "stop" };

/** From the thread: a level's shard, good until `next` is sent; or the image's end. */
export type FromCutThread =
  | { readonly kind: "level"; readonly level: CutLevel; readonly memory: Uint8Array<SharedArrayBuffer> }
  | { readonly kind: "done"; readonly shortfalls: readonly Shortfall[] }
  | { readonly kind: "failed"; readonly message: string };
