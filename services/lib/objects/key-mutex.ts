/** @file One critical section at a time per key, within this process. */

/** Runs `critical` once every earlier call for the key has ended, and returns or throws what it does. */
export type KeyMutex = <T>(key: string, critical: () => Promise<T>) => Promise<T>;

/** Returns a mutex that remembers a key only while it is in use. */
export const createKeyMutex = (): KeyMutex => {
  const tails = new Map<string, Promise<unknown>>();
  return async (key, critical) => {
    const result = (tails.get(key) ?? Promise.resolve()).then(critical);
    const tail = result.catch(() => undefined);
    tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (tails.get(key) === tail) tails.delete(key);
    }
  };
};
