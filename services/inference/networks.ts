/** @file Loaded networks by model id: made once per process, the least used freed. */
import { LRUCache } from "lru-cache";
import { denseGraph } from "../lib/network/dense-graph.ts";
import { readModel } from "../lib/network/model-contents.ts";
import { patchGraph } from "../lib/network/patch-graph.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import type { Session } from "../lib/runtime/session.ts";
import { MODEL } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";

/** The graphs of one model. */
export interface LoadedNetwork {
  /** Input `region` uint8 [1, 3, H + 31, W + 31], output `probabilities` [1, 3, H, W]. */
  readonly dense: () => Promise<Session>;
  /** Input `patches` uint8 [N, 3, 32, 32], output `probabilities` [N, 3]. */
  readonly patches: () => Promise<Session>;
}

export interface Networks {
  /** Returns a model's network. Throws notFound MODEL_NOT_FOUND. */
  load(modelId: string): Promise<LoadedNetwork>;
}

const MAX_LOADED = 32;

interface Entry extends LoadedNetwork {
  readonly release: () => void;
}

/** Returns the networks of an object store on a runtime. */
export function createNetworks(objects: ObjectStore, runtime: () => Promise<Runtime>): Networks {
  const loaded = new LRUCache<string, Promise<Entry>>({
    max: MAX_LOADED,
    // A session in use is freed after its runs in flight.
    dispose: (entry) =>
      void entry.then(
        ({ release }) => release(),
        () => undefined,
      ),
  });
  const open = async (modelId: string): Promise<Entry> => {
    const { key } = await readDocument(objects, MODEL, modelId);
    // Its numbers are taken, its graph is not run: what dense and per-patch evaluation compute is ours alone.
    const { network, parameters, channelMeans } = readModel(await objects.get(key));
    const opened = new Set<Promise<Session>>();
    const once = (graph: () => Uint8Array) => {
      let session: Promise<Session> | undefined;
      const create = async (): Promise<Session> => (await runtime()).session(graph());
      return (): Promise<Session> => {
        if (session) return session;
        const created = create();
        session = created;
        opened.add(created);
        // What failed is tried again by the next unit that needs it.
        created.catch(() => {
          opened.delete(created);
          session = undefined;
        });
        return created;
      };
    };
    return {
      dense: once(() => denseGraph(network, parameters, channelMeans)),
      patches: once(() => patchGraph(network, parameters, channelMeans)),
      release: () => {
        for (const session of opened) session.then((held) => held.release()).catch(() => undefined);
      },
    };
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
