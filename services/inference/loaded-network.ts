/** @file A network on a runtime: its graphs, each made when first needed. */
import { canBlock } from "../lib/network/blocked/places.ts";
import { denseGraph } from "../lib/network/dense-graph.ts";
import type { ModelContents } from "../lib/network/model-contents.ts";
import { patchGraph } from "../lib/network/patch-graph.ts";
import { sparseGraph } from "../lib/network/sparse-graph.ts";
import { type WindowedLayer, windowedLayers } from "../lib/network/windowed-layers.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import type { Session } from "../lib/runtime/session.ts";
import { createScratch, type Scratch } from "./scratch.ts";

/** The graphs of one model. */
export interface LoadedNetwork {
  readonly layers: readonly WindowedLayer[];
  /** Whether selected pixels may be evaluated sparsely. What that costs is known of CPUs; elsewhere regions are dense. */
  readonly canBeSparse: boolean;
  /** Whether sparse evaluation gives the bits of dense: then it is free what is evaluated together. */
  readonly isSparseExact: boolean;
  /** Whether the device plans a convolution anew for every size (cuDNN, docs/gpu.md): then what is evaluated is best of one size. */
  readonly plansBySize: boolean;
  /** For what its runs are fed with and write, and for lists of pixels. */
  readonly scratch: Scratch;
  /** Input `region` uint8 [1, 3, H + 31, W + 31], output `probabilities` [1, 3, H, W]. */
  dense(): Promise<Session>;
  /** Input `patches` uint8 [N, 3, 32, 32], output `probabilities` [N, 3]. */
  patches(): Promise<Session>;
  /** Inputs `regions` and `windows`, output `probabilities` [3, N]: see `sparseGraph`. */
  sparse(): Promise<Session>;
}

/** A network that holds memory of the runtime. */
export interface OpenNetwork extends LoadedNetwork {
  /** Frees the sessions, each after its runs in flight. */
  release(): void;
}

/** Returns a model's network on a runtime. */
export function openNetwork(contents: ModelContents, runtime: Runtime): OpenNetwork {
  const sessions = new Map<string, Promise<Session>>();
  const once = (name: string, graph: () => Uint8Array): Promise<Session> => {
    const known = sessions.get(name);
    if (known) return known;
    const created = runtime.session(graph());
    sessions.set(name, created);
    // What failed is tried again by the next unit that needs it.
    created.catch(() => sessions.delete(name));
    return created;
  };
  const layers = windowedLayers(contents.network);
  const { channelBlock } = runtime;
  return {
    layers,
    scratch: createScratch(),
    canBeSparse: runtime.provider === "cpu",
    isSparseExact: runtime.provider === "cpu" && canBlock(layers, channelBlock),
    plansBySize: runtime.provider === "cuda",
    dense: () => once("dense", () => denseGraph(contents)),
    patches: () => once("patches", () => patchGraph(contents)),
    sparse: () => once("sparse", () => sparseGraph(contents, channelBlock)),
    release: () => {
      for (const session of sessions.values()) session.then((held) => held.release()).catch(() => undefined);
    },
  };
}
