/** @file What every adapter would do alike: check keys and bodies, refuse after close, let running calls end. */

import { bodyMismatch, objectNotFound, storeClosed } from "./object-errors.ts";
import { objectKey, objectPrefix } from "./object-key.ts";
import type { ObjectInfo, ObjectStore, StreamBody } from "./object-store.ts";

/** An adapter: an ObjectStore that may take every key, prefix and body it gets for valid. */
export type ObjectAdapter = Omit<ObjectStore, "get">;

/** Whether a body is a stream with its size and hash. */
export const isStreamBody = (body: Uint8Array | StreamBody): body is StreamBody => !(body instanceof Uint8Array);

/** Returns the number of bytes of a body. */
export const bodySize = (body: Uint8Array | StreamBody): number => (isStreamBody(body) ? body.size : body.length);

const checkStreamBody = (key: string, { size, sha256 }: StreamBody): void => {
  if (!Number.isSafeInteger(size) || size < 0) throw bodyMismatch(key, `${size} is no number of bytes`);
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw bodyMismatch(key, `"${sha256}" is no SHA-256 in lower-case hex`);
};

/** Returns the adapter as the port promises it. The stream of a put is always consumed or destroyed. */
export const guardStore = (adapter: ObjectAdapter): ObjectStore => {
  const running = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  const refuseIfClosed = () => {
    if (closed !== undefined) throw storeClosed();
  };
  const run = async <T>(key: string, call: (key: string) => Promise<T>): Promise<T> => {
    refuseIfClosed();
    const result = call(objectKey(key));
    running.add(result);
    try {
      return await result;
    } finally {
      running.delete(result);
    }
  };
  const put: ObjectStore["put"] = async (key, body, condition) => {
    try {
      if (isStreamBody(body)) checkStreamBody(key, body);
      return await run(key, (checked) => adapter.put(checked, body, condition));
    } finally {
      if (isStreamBody(body)) body.stream.destroy();
    }
  };
  const find: ObjectStore["find"] = (key) => run(key, adapter.find);
  const get: ObjectStore["get"] = async (key) => {
    const found = await find(key);
    if (!found) throw objectNotFound(key);
    return found.bytes;
  };
  async function* list(prefix: string): AsyncIterable<ObjectInfo> {
    refuseIfClosed();
    for await (const info of adapter.list(objectPrefix(prefix))) {
      refuseIfClosed();
      yield info;
    }
  }
  const close = () => {
    closed ??= Promise.allSettled(running).then(() => adapter.close());
    return closed;
  };
  return {
    get,
    find,
    put,
    list,
    close,
    stream: (key) => run(key, adapter.stream),
    head: (key) => run(key, adapter.head),
    delete: (key) => run(key, adapter.delete),
  };
};
