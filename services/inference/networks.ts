/** @file Loaded networks by model id: made once per process, the least used freed. */
import { LRUCache } from "lru-cache";
import { readModel } from "../lib/network/model-contents.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { readUsableModel } from "../lib/service/stored-models.ts";
import { type LoadedNetwork, type OpenNetwork, openNetwork } from "./loaded-network.ts";

export interface Networks {
  /** Lends a model's network to `work`, whose result it returns. Throws notFound MODEL_NOT_FOUND. */
  use<T>(modelId: string, work: (network: LoadedNetwork) => Promise<T>): Promise<T>;
}

const MAX_LOADED = 32;

/** A network, and who holds it: one that others have displaced is freed when nobody does. */
interface Entry {
  readonly network: Promise<OpenNetwork>;
  users: number;
  isDisplaced: boolean;
}

/** Returns the networks of an object store on a runtime, of which `most` are held while nobody uses them. */
export function createNetworks(
  objects: ObjectStore,
  runtime: () => Promise<Runtime>,
  most: number = MAX_LOADED,
): Networks {
  const freeIfUnused = ({ network, users, isDisplaced }: Entry): void => {
    if (!isDisplaced || users > 0) return;
    network.then(
      ({ release }) => release(),
      () => undefined,
    );
  };
  const loaded = new LRUCache<string, Entry>({
    max: most,
    dispose: (entry) => {
      entry.isDisplaced = true;
      freeIfUnused(entry);
    },
  });
  const open = async (modelId: string): Promise<OpenNetwork> => {
    const { key } = await readUsableModel(objects, modelId);
    // Its numbers are taken, its graph is not run: what dense and per-patch evaluation compute is ours alone.
    return openNetwork(readModel(await objects.get(key)), await runtime());
  };
  const entryOf = (modelId: string): Entry => {
    const known = loaded.get(modelId);
    if (known) return known;
    const entry: Entry = { network: open(modelId), users: 0, isDisplaced: false };
    loaded.set(modelId, entry);
    entry.network.catch(() => loaded.delete(modelId));
    return entry;
  };
  return {
    use: async (modelId, work) => {
      const entry = entryOf(modelId);
      entry.users++;
      try {
        return await work(await entry.network);
      } finally {
        entry.users--;
        freeIfUnused(entry);
      }
    },
  };
}
