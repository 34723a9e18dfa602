/** @file What every object store does, written once; each adapter's test runs it on the real thing. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import type { DomainError } from "../errors.ts";
import { sha256Hex } from "./checked-body.ts";
import { bytes, failsWith, keysOf, LARGE_BYTES, type OpenStore, start, streamed, text } from "./contract.fixture.ts";
import { conditionsContract } from "./object-conditions.contract.ts";
import type { StreamBody } from "./object-store.ts";

const OVERWRITES = 50;

const bodies: readonly (readonly [string, Uint8Array])[] = [
  ["an empty object", new Uint8Array(0)],
  ["a small object", bytes("small")],
  ["an object of 9 MiB", new Uint8Array(randomBytes(9 * 2 ** 20))],
];

const roundTrips = (name: string, open: OpenStore): void => {
  for (const [what, content] of bodies) {
    test(`${name}: gives back ${what}, put whole and put as a stream`, async (t) => {
      const { store, at } = await start(t, open);
      for (const [key, body] of [[at("whole"), content] as const, [at("streamed"), streamed(content)] as const]) {
        const etag = await store.put(key, body);
        assert.ok(etag);
        assert.deepEqual(await store.get(key), content);
        assert.deepEqual(await store.find(key), { bytes: content, etag });
        assert.deepEqual(await store.head(key), { key, size: content.length, etag });
        assert.deepEqual(new Uint8Array(await buffer(await store.stream(key))), content);
      }
    });
  }

  test(`${name}: gives bytes that own their memory, so that a typed array can be laid over them`, async (t) => {
    const { store, at } = await start(t, open);
    await store.put(at("k"), new Uint8Array(new Float32Array([1.5, -2]).buffer));
    const read = await store.get(at("k"));
    assert.deepEqual(new Float32Array(read.buffer), new Float32Array([1.5, -2]));
  });

  test(`${name}: takes bytes that lie in shared memory, as another thread has put them together`, async (t) => {
    const { store, at } = await start(t, open);
    const shared = new Uint8Array(new SharedArrayBuffer(200_000));
    const content = new Uint8Array(randomBytes(100_000));
    shared.set(content, 64);
    await store.put(at("k"), shared.subarray(64, 64 + content.length), { ifAbsent: true });
    assert.deepEqual(await store.get(at("k")), content);
  });

  test(`${name}: changes the ETag with the content and keeps the newest`, async (t) => {
    const { store, at } = await start(t, open);
    const first = await store.put(at("k"), bytes("one"));
    const second = await store.put(at("k"), bytes("two"));
    assert.notEqual(first, second);
    assert.equal((await store.head(at("k")))?.etag, second);
    assert.equal(text(await store.get(at("k"))), "two");
  });
};

const refusals = (name: string, open: OpenStore): void => {
  for (const [size, content] of [
    ["small", randomBytes(300_000)],
    ["large", randomBytes(LARGE_BYTES)],
  ] as const) {
    const wrong: readonly (readonly [string, () => StreamBody])[] = [
      ["another hash", () => ({ ...streamed(content), sha256: sha256Hex(bytes("other")) })],
      ["fewer bytes", () => ({ ...streamed(content), size: content.length + 1 })],
      ["more bytes", () => ({ ...streamed(content), size: content.length - 1 })],
      ["bytes where none were announced", () => ({ ...streamed(content), size: 0, sha256: sha256Hex(bytes("")) })],
      ["a hash that is none", () => ({ ...streamed(content), sha256: "abc" })],
    ];
    for (const [what, body] of wrong) {
      test(`${name}: refuses a ${size} stream with ${what} and shows nothing of it`, async (t) => {
        const { store, at, prefix } = await start(t, open);
        const refused = body();
        await assert.rejects(store.put(at("k"), refused), failsWith("OBJECT_BODY_MISMATCH", "invalidArgument"));
        assert.equal(refused.stream.destroyed, true);
        assert.equal(await store.head(at("k")), undefined);
        assert.deepEqual(await keysOf(store, prefix), []);
      });
    }

    test(`${name}: keeps the old object when a ${size} stream fails near its end, and hands its error on`, async (t) => {
      const { store, at } = await start(t, open);
      await store.put(at("k"), bytes("old"));
      const broken = new Error("the sender hung up");
      async function* failing() {
        yield content.subarray(0, content.length - 100_000);
        throw broken;
      }
      const stream = Readable.from(failing(), { objectMode: false });
      await assert.rejects(
        store.put(at("k"), { stream, size: content.length, sha256: sha256Hex(content) }),
        (error) => error === broken,
      );
      assert.equal(text(await store.get(at("k"))), "old");
    });
  }

  test(`${name}: refuses keys that leave their prefix in every call`, async (t) => {
    const { store, prefix } = await start(t, open);
    const key = `${prefix}/../other`;
    const isRefusal = failsWith("OBJECT_KEY_INVALID", "invalidArgument");
    await assert.rejects(store.get(key), isRefusal);
    await assert.rejects(store.find(key), isRefusal);
    await assert.rejects(store.head(key), isRefusal);
    await assert.rejects(store.stream(key), isRefusal);
    await assert.rejects(store.put(key, bytes("x")), isRefusal);
    await assert.rejects(store.delete(key), isRefusal);
    await assert.rejects(keysOf(store, `${prefix}/../`), isRefusal);
  });
};

const listings = (name: string, open: OpenStore): void => {
  test(`${name}: lists by prefix in byte order`, async (t) => {
    const { store, at, prefix } = await start(t, open);
    const names = ["a/b/c", "a/b-c", "a/b.c", "a/b0", "a-b", "a.b", "a0", "A", "_", "=", "a/b/d/e", "a/b/d-e", "z/1"];
    for (const [i, key] of names.entries()) await store.put(at(key), new Uint8Array(i));
    // ASCII: - . / digits = capitals _ small letters
    const order = ["=", "A", "_", "a-b", "a.b", "a/b-c", "a/b.c", "a/b/c", "a/b/d-e", "a/b/d/e", "a/b0", "a0", "z/1"];
    for (const start of ["", "a", "a/", "a/b", "a/b/", "a/b/d", "z", "a/b-"]) {
      const below = order.filter((key) => key.startsWith(start)).map((key) => at(key));
      assert.deepEqual(await keysOf(store, `${prefix}/${start}`), below, start);
    }
    assert.deepEqual(await keysOf(store, `${prefix}/none`), []);
    assert.deepEqual(await keysOf(store, `${prefix}/a/b/c/d/e/`), []);
    for await (const info of store.list(`${prefix}/a`)) {
      assert.deepEqual(info, await store.head(info.key));
      assert.equal(info.size, names.indexOf(info.key.slice(prefix.length + 1)));
    }
  });

  test(`${name}: lists as far as it is read`, async (t) => {
    const { store, at, prefix } = await start(t, open);
    for (const key of ["1/x", "2/x", "3/x"]) await store.put(at(key), bytes(key));
    const seen: string[] = [];
    for await (const { key } of store.list(prefix)) {
      seen.push(key);
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, [at("1/x"), at("2/x")]);
  });

  test(`${name}: deletes, also what is not there`, async (t) => {
    const { store, at, prefix } = await start(t, open);
    await store.put(at("a/b"), bytes("x"));
    await store.put(at("a/c"), bytes("y"));
    await store.delete(at("a/b"));
    await store.delete(at("a/b"));
    await store.delete(at("never/was"));
    assert.deepEqual(await keysOf(store, prefix), [at("a/c")]);
    assert.equal(text(await store.get(at("a/c"))), "y");
  });
};

const nesting = (name: string, open: OpenStore): void => {
  test(`${name}: keeps an object apart from those below its own key`, async (t) => {
    const { store, at } = await start(t, open);
    const keys = [at("a/b/c"), at("a"), at("a/b")];
    for (const key of keys) assert.ok(await store.put(key, bytes(key), { ifAbsent: true }));
    for (const key of keys) assert.equal(text(await store.get(key)), key);
    for (const [i, key] of keys.entries()) {
      await store.delete(key);
      assert.equal(await store.head(key), undefined);
      for (const other of keys.slice(i + 1)) assert.equal(text(await store.get(other)), other);
    }
  });
};

/** Some servers keep objects as files in folders, where a name is one or the other. */
const noNesting = (name: string, open: OpenStore): void => {
  test(`${name}: refuses an object above or below another, and harms neither`, async (t) => {
    const { store, at, prefix } = await start(t, open);
    await store.put(at("a/b"), bytes("x"));
    for (const key of [at("a"), at("a/b/c")]) {
      await assert.rejects(store.put(key, bytes("y")), failsWith("OBJECT_STORE_REFUSED", "failedPrecondition"));
      assert.equal(await store.head(key), undefined);
      await store.delete(key);
    }
    assert.deepEqual(await keysOf(store, prefix), [at("a/b")]);
    assert.equal(text(await store.get(at("a/b"))), "x");
  });
};

const failures = (name: string, open: OpenStore): void => {
  test(`${name}: says which object is missing`, async (t) => {
    const { store, at } = await start(t, open);
    await store.put(at("a/b"), bytes("x"));
    for (const key of [at("none"), at("a"), at("a/b/c")]) {
      assert.equal(await store.find(key), undefined);
      assert.equal(await store.head(key), undefined);
      const isMissing = (error: unknown) =>
        failsWith("OBJECT_NOT_FOUND", "notFound")(error) && (error as DomainError).message.includes(key);
      await assert.rejects(store.get(key), isMissing);
      await assert.rejects(store.stream(key), isMissing);
    }
  });

  test(`${name}: never hands out a corrupt object as whole`, async (t) => {
    const { store, at, corrupt } = await start(t, open);
    const content = randomBytes(200_000);
    await store.put(at("k"), content);
    await corrupt(at("k"));
    const isCorrupt = (error: unknown) =>
      failsWith("OBJECT_CORRUPT", "dataLoss")(error) && (error as DomainError).message.includes(at("k"));
    await assert.rejects(store.get(at("k")), isCorrupt);
    await assert.rejects(store.find(at("k")), isCorrupt);
    await assert.rejects(buffer(await store.stream(at("k"))), isCorrupt);
    await store.put(at("k"), content);
    assert.deepEqual(await store.get(at("k")), new Uint8Array(content));
  });

  test(`${name}: shows readers a whole version during ${OVERWRITES} overwrites`, async (t) => {
    const { store, at } = await start(t, open);
    const version = (i: number) => new Uint8Array(40_000 + i).fill(i);
    await store.put(at("k"), version(0));
    let writing = true;
    const read = async (take: () => Promise<Uint8Array>) => {
      let last = 0;
      for (let reads = 0; writing || reads === 0; reads++) {
        const seen = await take();
        const i = seen[0] ?? -1;
        assert.deepEqual(seen, version(i));
        assert.ok(i >= last, "an older version came back");
        last = i;
      }
    };
    const readers = [
      read(() => store.get(at("k"))),
      read(async () => new Uint8Array(await buffer(await store.stream(at("k"))))),
    ];
    try {
      for (let i = 1; i <= OVERWRITES; i++) await store.put(at("k"), version(i));
    } finally {
      writing = false;
    }
    await Promise.all(readers);
  });

  test(`${name}: lets running calls end and refuses others once it is closed`, async (t) => {
    const { store, at, prefix } = await start(t, open);
    const running = store.put(at("k"), new Uint8Array(100_000));
    await Promise.all([store.close(), store.close()]);
    assert.ok(await running);
    const isClosed = failsWith("OBJECT_STORE_CLOSED", "failedPrecondition");
    await assert.rejects(store.get(at("k")), isClosed);
    await assert.rejects(store.find(at("k")), isClosed);
    await assert.rejects(store.head(at("k")), isClosed);
    await assert.rejects(store.stream(at("k")), isClosed);
    await assert.rejects(store.put(at("k"), bytes("x")), isClosed);
    await assert.rejects(store.delete(at("k")), isClosed);
    await assert.rejects(keysOf(store, prefix), isClosed);
  });
};

/** Registers the tests that every adapter must pass. `nests`: whether the store takes an object below another's key. */
export const objectStoreContract = (name: string, open: OpenStore, nests = true): void => {
  roundTrips(name, open);
  refusals(name, open);
  conditionsContract(name, open);
  listings(name, open);
  (nests ? nesting : noNesting)(name, open);
  failures(name, open);
};
