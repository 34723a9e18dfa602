/** @file Loaded networks by model id: made once per process, the least used freed. */
import { LRUCache } from "lru-cache";
import { readModel } from "../lib/network/model-contents.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { MODEL } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { type LoadedNetwork, type OpenNetwork, openNetwork } from "./loaded-network.ts";

export interface Networks {
  /** Returns a model's network. Throws notFound MODEL_NOT_FOUND. */
  load(modelId: string): Promise<LoadedNetwork>;
}

const MAX_LOADED = 32;

/** Returns the networks of an object store on a runtime. */
export function createNetworks(objects: ObjectStore, runtime: () => Promise<Runtime>): Networks {
  const loaded = new LRUCache<string, Promise<OpenNetwork>>({
    max: MAX_LOADED,
    // A session in use is freed after its runs in flight.
    dispose: (entry) =>
      void entry.then(
        ({ release }) => release(),
        () => undefined,
      ),
  });
  const open = async (modelId: string): Promise<OpenNetwork> => {
    const { key } = await readDocument(objects, MODEL, modelId);
    // Its numbers are taken, its graph is not run: what dense and per-patch evaluation compute is ours alone.
    return openNetwork(readModel(await objects.get(key)), await runtime());
  };
  return {
    load: (modelId) => {
      const known = loaded.get(modelId);
      if (known) return known;
      const entry = open(modelId);
      loaded.set(modelId, entry);
      entry.catch(() => loaded.delete(modelId));
      return entry;
    },
  };
}
