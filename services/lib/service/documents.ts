/** @file Protobuf documents in the object store. */
import type { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { DomainError } from "../errors.ts";
import { objectKey } from "../objects/object-key.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { isId } from "./content-id.ts";

/** What ts-proto generates for a message. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader | Uint8Array, length?: number): T;
}

/** Returns the message's bytes. */
export const encode = <T>(codec: Codec<T>, message: T): Uint8Array => codec.encode(message).finish();

/** A kind of document: one per id under a folder. */
export interface DocumentKind<T> {
  readonly folder: string;
  readonly codec: Codec<T>;
  /** For messages: "patch set". */
  readonly label: string;
}

const documentKey = (kind: DocumentKind<unknown>, id: string): string => {
  if (isId(id)) return objectKey(kind.folder, id);
  throw new DomainError("invalidArgument", "ID_INVALID", `Cannot find ${kind.label} "${id}": an id is 32 hex digits`);
};

/** Returns the document with this id, or undefined. */
export async function findDocument<T>(objects: ObjectStore, kind: DocumentKind<T>, id: string): Promise<T | undefined> {
  const found = await objects.find(documentKey(kind, id));
  return found && kind.codec.decode(found.bytes);
}

/** Returns the document with this id. Throws notFound (<LABEL>_NOT_FOUND) if there is none. */
export async function readDocument<T>(objects: ObjectStore, kind: DocumentKind<T>, id: string): Promise<T> {
  const found = await findDocument(objects, kind, id);
  if (found) return found;
  const reason = `${kind.label.toUpperCase().replaceAll(" ", "_")}_NOT_FOUND`;
  throw new DomainError("notFound", reason, `Cannot find ${kind.label} "${id}"`);
}

/** Stores a document; if its id has one already, that one stays (ids are functions of content). */
export async function createDocument<T>(
  objects: ObjectStore,
  kind: DocumentKind<T>,
  id: string,
  document: T,
): Promise<void> {
  await objects.put(documentKey(kind, id), encode(kind.codec, document), { ifAbsent: true });
}

/** Returns a record that a unit of work left under its output key. */
export async function readRecord<T>(objects: ObjectStore, codec: Codec<T>, key: string): Promise<T> {
  return codec.decode(await objects.get(key));
}
