import assert from "node:assert/strict";
import { test } from "node:test";
import { NORMALISATION } from "../method/normalisation.ts";
import { contentId } from "./content-id.ts";
import { temporaryStore } from "./jobs/jobs.fixture.ts";
import { storeModelDocument } from "./stored-models.fixture.ts";
import { readUsableModel } from "./stored-models.ts";

test("a model that learnt from pixels of another normalisation, or of one not noted, is refused by name", async (t) => {
  const objects = await temporaryStore(t);
  const store = async (normalisation: string): Promise<string> => {
    const id = contentId("model", normalisation);
    await storeModelDocument(objects, id, { key: "file", normalisation });
    return id;
  };
  assert.equal((await readUsableModel(objects, await store(NORMALISATION))).key, "file");
  for (const old of ["mean density 1", ""]) {
    const id = await store(old);
    const message = new RegExp(`model "${id}".*"${old || "an earlier version's"}".*"${NORMALISATION}"; train it anew`);
    await assert.rejects(readUsableModel(objects, id), {
      kind: "failedPrecondition",
      reason: "MODEL_OUTDATED",
      message,
    });
  }
});
