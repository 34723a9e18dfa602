import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../errors.ts";
import { checkedStream, sha256Hex, verifiedBody } from "./checked-body.ts";

const isFailure = (reason: string) => (error: unknown) => error instanceof DomainError && error.reason === reason;
const chunked = (chunks: readonly Uint8Array[]) => Readable.from(chunks, { objectMode: false });
const chunkLists = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 });

test("a right body passes unchanged, however it is cut into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(chunkLists, async (chunks) => {
      const whole = Buffer.concat(chunks);
      const body = { stream: chunked(chunks), size: whole.length, sha256: sha256Hex(whole) };
      assert.deepEqual(await buffer(verifiedBody("k", body)), whole);
      assert.deepEqual(await buffer(checkedStream("k", chunked(chunks), body.sha256, (error) => error)), whole);
    }),
    { numRuns: 100 },
  );
});

test("a receiver that waits for the announced size never gets a whole wrong body", async () => {
  await fc.assert(
    fc.asyncProperty(chunkLists, fc.integer({ min: -3, max: 3 }), async (chunks, off) => {
      const whole = Buffer.concat(chunks);
      const size = Math.max(1, whole.length + off);
      const body = { stream: chunked(chunks), size, sha256: sha256Hex(Buffer.from("other")) };
      let received = 0;
      const receive = async () => {
        for await (const chunk of verifiedBody("k", body)) received += chunk.length;
      };
      await assert.rejects(receive(), isFailure("OBJECT_BODY_MISMATCH"));
      assert.ok(received < size);
    }),
    { numRuns: 100 },
  );
});

test("an error of the source reaches the reader translated", async () => {
  const translated = new Error("translated");
  const source = new Readable({ read: () => {} });
  const checked = checkedStream("k", source, sha256Hex(new Uint8Array(0)), () => translated);
  source.destroy(new Error("raw"));
  await assert.rejects(buffer(checked), (error) => error === translated);
});

test("a reader that stops early lets go of the source", async () => {
  const source = new Readable({ read: () => {} });
  const checked = checkedStream("k", source, sha256Hex(new Uint8Array(0)), (error) => error);
  const closed = new Promise((resolve) => source.on("close", resolve));
  checked.destroy();
  await closed;
  assert.equal(source.destroyed, true);
});
