/** @file What the main thread asks a thread that cuts patches, and what it answers. */
import type { CutImage, CutLevel, CutRequest } from "./cut-image.ts";

/** Begin an image; go on to its next level. */
export type CutQuestion = { readonly kind: "cut"; readonly request: CutRequest } | { readonly kind: "next" };

/** A level's shard, good until the next question; or the image's end. */
export type CutAnswer =
  | { readonly kind: "level"; readonly level: CutLevel; readonly memory: Uint8Array<SharedArrayBuffer> }
  | { readonly kind: "done"; readonly image: CutImage };
