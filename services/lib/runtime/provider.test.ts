import assert from "node:assert/strict";
import { test } from "node:test";
import { computeClass, instructionSet } from "./provider.ts";

test("names the widest vector extension of the processor", () => {
  assert.equal(instructionSet(new Set(["sse2", "avx", "avx2"])), "avx2");
  assert.equal(instructionSet(new Set(["avx2", "avx512f", "avx512_vnni"])), "avx512_vnni");
  assert.equal(instructionSet(new Set(["fp", "asimd"])), "asimd");
  assert.equal(instructionSet(new Set()), process.arch);
});

test("puts the provider and the version into the compute class", () => {
  assert.match(computeClass("cpu", 16, "1.30.0"), /^cpu\/C16\.2\/[a-z0-9_]+\/ort-1\.30\.0$/);
  assert.match(computeClass("cuda", 0, "1.30.0"), /^cuda\/A\/ort-1\.30\.0$/);
});
