/** @file Object stores that tests look into. */
import type { ObjectStore } from "../services/lib/objects/object-store.ts";
import { sha256 } from "../services/lib/service/content-id.ts";

/** Copies what lies below prefixes from one store to another. */
export async function copyBelow(from: ObjectStore, to: ObjectStore, prefixes: readonly string[]): Promise<void> {
  for (const prefix of prefixes) {
    for await (const { key } of from.list(prefix)) await to.put(key, await from.get(key), { ifAbsent: true });
  }
}

/** Returns the hashes of what lies below prefixes, by key. */
export async function hashesOf(objects: ObjectStore, prefixes: readonly string[]): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const prefix of prefixes) {
    for await (const { key } of objects.list(prefix)) hashes[key] = sha256(await objects.get(key));
  }
  return hashes;
}
