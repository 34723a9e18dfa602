/** @file Documents in the store: created once, found by id. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../proto/radhical/v1/training.ts";
import { contentId } from "./content-id.ts";
import { MODEL_SET } from "./document-kinds.ts";
import { createDocument, readDocument } from "./documents.ts";
import { temporaryStore } from "./jobs/jobs.fixture.ts";

test("a document is read as it was created first", async (t) => {
  const objects = await temporaryStore(t);
  const id = contentId("first");
  const setOf = (modelId: string) => ({ models: [Model.fromPartial({ modelId })] });
  await createDocument(objects, MODEL_SET, id, setOf("first"));
  await createDocument(objects, MODEL_SET, id, setOf("second"));
  assert.deepEqual(await readDocument(objects, MODEL_SET, id), setOf("first"));
});

test("an unknown id and what is no id are refused apart", async (t) => {
  const objects = await temporaryStore(t);
  const unknown = contentId("unknown");
  await assert.rejects(readDocument(objects, MODEL_SET, unknown), { kind: "notFound", reason: "MODEL_SET_NOT_FOUND" });
  await assert.rejects(readDocument(objects, MODEL_SET, "../jobs"), { kind: "invalidArgument", reason: "ID_INVALID" });
});
