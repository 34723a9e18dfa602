import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { DomainError } from "../services/lib/errors.ts";
import { temporaryFolder } from "./radhical-command.fixture.ts";
import { smallDatabases } from "./rpc-jobs.fixture.ts";
import { serveAll } from "./serving.fixture.ts";

test("a database set says what it holds, one that does not exist is not found", async (t) => {
  const { services } = await serveAll(t);
  const databaseSetId = await smallDatabases(services, join(await temporaryFolder(t), "cohort"));
  const { databases } = await services.datasets.describeDatabases({ databaseSetId });
  assert.deepEqual(
    databases.map(({ fold, level, part, classOfLabel }) => ({ fold, level, part, classOfLabel })),
    ["train", "test"].map((part) => ({ fold: 1, level: 1, part, classOfLabel: [0, 2] })),
  );
  for (const { patches, byLabel, recordsSha256 } of databases) {
    assert.ok(byLabel.length === 2 && byLabel.every((count) => count > 0n));
    assert.equal(byLabel[0]! + byLabel[1]!, patches);
    assert.match(recordsSha256, /^[0-9a-f]{64}$/);
  }
  assert.notEqual(databases[0]?.recordsSha256, databases[1]?.recordsSha256);
  await assert.rejects(
    services.datasets.describeDatabases({ databaseSetId: "0".repeat(32) }),
    (error: unknown) => error instanceof DomainError && error.reason === "DATABASE_SET_NOT_FOUND",
  );
});
