/** @file Files in pieces: what is sent arrives whole, and what is broken is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "./content-id.ts";
import { pieces, receiveUpload, sendFiles, sendUpload, type UploadPart } from "./files.ts";
import { temporaryStore } from "./jobs/jobs.fixture.ts";

interface Header {
  readonly sha256: string;
  readonly size: bigint;
}

const BYTES = Buffer.from("nuclei");
const HEADER = { sha256: sha256(BYTES), size: BigInt(BYTES.length) };
const header = (value: Header = HEADER) => ({ part: { $case: "header" as const, value } });
const data = (value: Uint8Array = BYTES) => ({ part: { $case: "data" as const, value } });
type Part = { readonly part?: UploadPart<Header> | undefined };

async function* stream(parts: readonly Part[]) {
  yield* parts;
}

const receive = (parts: readonly Part[], maxBytes = 1_000) => receiveUpload(stream(parts), maxBytes, async () => false);

test("pieces are at most half a mebibyte and join to the whole", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_600_000 }), (size) => {
      const all = [...pieces(new Uint8Array(size))];
      assert.ok(all.length >= 1 && all.every(({ length }) => length <= 2 ** 19));
      assert.equal(
        all.reduce((sum, { length }) => sum + length, 0),
        size,
      );
    }),
    { numRuns: 20 },
  );
});

test("an upload in any pieces arrives whole", async () => {
  const { bytes } = await receive([
    header(),
    ...[...BYTES].map((byte) => data(Uint8Array.of(byte))),
    data(Buffer.alloc(0)),
  ]);
  assert.deepEqual(Buffer.from(bytes ?? []), BYTES);
});

test("what is sent as an upload is received with its fields, bytes of several pieces and none alike", async () => {
  for (const sent of [Buffer.alloc(1_300_000, "tissue"), Buffer.alloc(0)]) {
    const { header, bytes } = await receiveUpload(
      sendUpload(sent, { manifest: "level 1" }),
      2_000_000,
      async () => false,
    );
    assert.deepEqual(header, { manifest: "level 1", sha256: sha256(sent), size: BigInt(sent.length) });
    assert.ok(sent.equals(bytes ?? Buffer.from("nothing")));
  }
});

test("an upload whose answer is known ends before its data", async () => {
  const upload = await receiveUpload(stream([header(), { part: undefined }]), 1_000, async () => true);
  assert.deepEqual(upload, { header: HEADER, bytes: undefined });
});

for (const { what, parts, refusal } of [
  { what: "nothing", parts: [], refusal: "UPLOAD_MALFORMED" },
  { what: "data before its header", parts: [data(), header()], refusal: "UPLOAD_MALFORMED" },
  { what: "two headers", parts: [header(), header()], refusal: "UPLOAD_MALFORMED" },
  { what: "a part that is neither", parts: [header(), { part: undefined }], refusal: "UPLOAD_MALFORMED" },
  { what: "a hash that is none", parts: [header({ ...HEADER, sha256: "../x" })], refusal: "UPLOAD_MALFORMED" },
  { what: "other bytes than announced", parts: [header(), data(Buffer.from("Nuclei"))], refusal: "HASH_MISMATCH" },
  { what: "too few bytes", parts: [header(), data(BYTES.subarray(1))], refusal: "HASH_MISMATCH" },
  { what: "more bytes than announced", parts: [header(), data(), data()], refusal: "HASH_MISMATCH" },
  { what: "a size over the limit", parts: [header({ ...HEADER, size: 1_001n })], refusal: "UPLOAD_TOO_LARGE" },
  { what: "less than its header says", parts: [header({ ...HEADER, size: 9n }), data()], refusal: "HASH_MISMATCH" },
  { what: "a size below nothing", parts: [header({ ...HEADER, size: -1n }), data()], refusal: "HASH_MISMATCH" },
]) {
  test(`an upload of ${what} is refused`, async () => {
    await assert.rejects(receive(parts), { reason: refusal });
  });
}

test("stored files are sent one after another, each with its hash at its end", async (t) => {
  const objects = await temporaryStore(t);
  const large = Buffer.alloc(1_300_000, "tissue");
  await objects.put("a", large);
  await objects.put("b", Buffer.alloc(0));
  const files = new Map<string, Buffer[]>();
  const ends: string[] = [];
  for await (const { chunk } of sendFiles(objects, [
    { path: "x/a", key: "a" },
    { path: "b", key: "b" },
  ])) {
    assert.ok(chunk.data.length <= 2 ** 20);
    files.set(chunk.path, [...(files.get(chunk.path) ?? []), chunk.data]);
    if (chunk.last) ends.push(`${chunk.path} ${chunk.sha256}`);
    else assert.equal(chunk.sha256, "");
  }
  assert.deepEqual(ends, [`x/a ${sha256(large)}`, `b ${sha256(Buffer.alloc(0))}`]);
  assert.ok(Buffer.concat(files.get("x/a") ?? []).equals(large));
});
