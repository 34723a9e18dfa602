/** @file The queue by TLS with a login, and what keeps a client out: on the broker's listener that RADHICAL_TEST_KAFKA_TLS_BROKERS names. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { DomainError } from "../errors.ts";
import { CONTRACT_PREFIX, message, textOf, unique, until, watch } from "./harness.fixture.ts";
import { SASL_MECHANISMS } from "./kafka-access.ts";
import type { KafkaAddress } from "./kafka-client.ts";
import { provisionTopics } from "./kafka-provision.ts";
import { openKafkaQueue } from "./kafka-queue.ts";

const open = async (t: TestContext, address: KafkaAddress) => {
  const queue = await openKafkaQueue({ ...address, prefix: CONTRACT_PREFIX });
  t.after(() => queue.close());
  return queue;
};

/** Resolves when opening the queue fails with this reason and words; a time limit of the suite's ends one that goes on trying. */
const assertRefused = (address: KafkaAddress, kind: string, reason: string, ...words: readonly RegExp[]) =>
  assert.rejects(openKafkaQueue(address), (error: unknown) => {
    assert.ok(error instanceof DomainError);
    assert.deepEqual([error.kind, error.reason], [kind, reason]);
    for (const word of words) assert.match(error.message, word);
    return true;
  });

const accessTests = (
  { tls, ...plain }: KafkaAddress & { readonly tls: object },
  user: { readonly username: string; readonly password: string },
): void => {
  for (const mechanism of SASL_MECHANISMS) {
    const login = { mechanism, ...user };

    test(`publishes and consumes by TLS, logged in by ${mechanism}`, async (t) => {
      const address = { ...plain, tls, login };
      const topic = unique("contract");
      await provisionTopics(address, [{ name: topic, kind: "work" }], { prefix: CONTRACT_PREFIX, partitions: 1 });
      const queue = await open(t, address);
      await queue.publish(topic, [message("a", "over TLS")]);
      const { seen } = await watch(queue, topic);
      await until(() => seen.length === 1, "the message");
      assert.equal(textOf(seen[0]!), "over TLS");
    });

    test(`a wrong password is refused by ${mechanism} at the first try and not told, and the failure names the settings`, async () => {
      const told: object[] = [];
      const note = (fields: object, text: string) => told.push({ ...fields, text });
      const wrong = {
        ...plain,
        tls,
        login: { ...login, password: "hunter2" },
        log: { debug: note, warn: note, error: note },
      };
      const settings = [/KAFKA_SASL_MECHANISM/, /KAFKA_USERNAME/, /KAFKA_PASSWORD_FILE/, /^((?!hunter2).)*$/];
      await assertRefused(wrong, "failedPrecondition", "QUEUE_DENIED", ...settings);
      const tries = told.flatMap((fields) => ("retryCount" in fields ? [fields.retryCount] : []));
      assert.deepEqual(tries, [0]);
      assert.ok(!JSON.stringify(told).includes("hunter2"));
    });
  }

  const login = { mechanism: "SCRAM-SHA-512", ...user } as const;

  test("a user that nobody has made is refused", () =>
    assertRefused({ ...plain, tls, login: { ...login, username: "nobody" } }, "failedPrecondition", "QUEUE_DENIED"));

  test("a certificate of an unknown authority is not trusted, and the failure names the setting", () =>
    assertRefused({ ...plain, tls: {}, login }, "failedPrecondition", "QUEUE_UNTRUSTED", /KAFKA_CA_FILE/));

  test("a client without TLS, or without a login, is told what to check", async () => {
    const settings = [/KAFKA_TLS/, /KAFKA_SASL_MECHANISM/];
    await Promise.all([
      assertRefused({ ...plain, login }, "unavailable", "QUEUE_UNAVAILABLE", ...settings),
      assertRefused({ ...plain, tls }, "unavailable", "QUEUE_UNAVAILABLE", ...settings),
    ]);
  });
};

const { RADHICAL_TEST_KAFKA_TLS_BROKERS: brokers, RADHICAL_TEST_CA_FILE: caFile } = process.env;
const { RADHICAL_TEST_KAFKA_USERNAME: username, RADHICAL_TEST_KAFKA_PASSWORD: password } = process.env;
if (brokers && caFile && username && password) {
  const tls = { ca: readFileSync(caFile, "utf8") };
  const address = { brokers: brokers.split(","), clientId: "contract", tls };
  describe("Kafka by TLS", { concurrency: 16, timeout: 60_000 }, () => accessTests(address, { username, password }));
}
