/** @file What cannot work is refused before anything is installed, by the name of the value and with the cure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Example, helmTemplate } from "./helm.fixture.ts";

interface Refusal {
  readonly name: string;
  readonly example?: Example;
  readonly values: Readonly<Record<string, unknown>>;
  /** What helm must say. */
  readonly says: RegExp;
}

/** What the schema refuses. */
const MALFORMED: readonly Refusal[] = [
  { name: "a value that does not exist", values: { "kafka.broker": "a:9092" }, says: /broker/ },
  { name: "a value that does not exist at the top", values: { kaffka: {} }, says: /kaffka/ },
  { name: "a value that does not exist in an entry", values: { "services.tuning.replica": 2 }, says: /replica/ },
  { name: "a value that does not exist in an entry's part", values: { "services.tuning.gpu.cuont": 1 }, says: /cuont/ },
  {
    name: "a value that does not exist in a toleration",
    values: { "defaults.tolerations": [{ kay: "a" }] },
    says: /kay/,
  },
  { name: "a value of the wrong type", values: { "kafka.partitions": "many" }, says: /partitions/ },
  { name: "a word that is none of those possible", values: { "kafka.sasl.mechanism": "SCRAM" }, says: /mechanism/ },
  { name: "a broker without a port", values: { "kafka.brokers": ["kafka"] }, says: /brokers/ },
  { name: "a level that cannot be", values: { "services.inference-level-1.level": 9 }, says: /level/ },
  { name: "an entry of no service", values: { "services.extra": { replicas: 1 } }, says: /service/ },
  {
    name: "an entry of a service that does not exist",
    values: { "services.extra.service": "gateway" },
    says: /service/,
  },
  { name: "a setting that is not the program's", values: { "defaults.env": { PATH: "/" } }, says: /PATH/ },
];

/** What validations.yaml refuses. */
const IMPOSSIBLE: readonly Refusal[] = [
  {
    name: "an installation that does not say insecure",
    values: { insecure: false },
    says: /no TLS yet.*set insecure: true/,
  },
  { name: "no image", values: { "image.repository": "" }, says: /image\.repository: build deploy\/Dockerfile/ },
  { name: "no token", values: { "token.existingSecret": "" }, says: /token\.existingSecret: name a secret/ },
  { name: "no brokers", values: { "kafka.brokers": [] }, says: /kafka\.brokers: list your brokers/ },
  { name: "no S3 store", values: { "s3.endpoint": "" }, says: /s3\.endpoint: give the address/ },
  { name: "no S3 secret", values: { "s3.existingSecret": "" }, says: /s3\.existingSecret: name a secret/ },
  {
    name: "more replicas than partitions",
    example: "production",
    values: { "kafka.partitions": 8 },
    says: /services\.inference-level-1\.autoscaling\.maxReplicas: 12 replicas cannot share 8 partitions.*lower it to 8, or set kafka\.partitions to 12 or more/,
  },
  {
    name: "more fixed replicas than partitions",
    values: { "services.tuning.replicas": 5 },
    says: /services\.tuning\.replicas: 5 replicas cannot share 4 partitions/,
  },
  {
    name: "a service scaled to nothing that has calls to answer",
    example: "production",
    values: { "services.extraction.autoscaling.minReplicas": 0 },
    says: /services\.extraction\.autoscaling\.minReplicas: with 0 nobody answers/,
  },
  {
    name: "a highest number below the lowest",
    example: "production",
    values: { "services.training.autoscaling.minReplicas": 9 },
    says: /services\.training\.autoscaling\.maxReplicas: it is below minReplicas 9/,
  },
  {
    name: "CUDA without a GPU",
    values: { "services.training.device": "cuda" },
    says: /services\.training\.gpu\.count/,
  },
  {
    name: "a GPU that nobody uses",
    values: { "services.training.gpu.count": 1 },
    says: /services\.training\.device: a GPU/,
  },
  {
    name: "a level of another service",
    values: { "services.tuning.level": 1 },
    says: /services\.tuning\.level: only inference/,
  },
  {
    name: "SASL without a secret",
    example: "production",
    values: { "kafka.sasl.existingSecret": "" },
    says: /kafka\.sasl\.existingSecret: SCRAM-SHA-512 needs a secret/,
  },
  {
    name: "a password in the clear",
    values: { "kafka.sasl": { mechanism: "PLAIN", existingSecret: "radhical-kafka" } },
    says: /PLAIN without TLS sends the password in the clear/,
  },
  {
    name: "a CA that nobody asks",
    values: { "kafka.tls.caSecret": "house-ca" },
    says: /kafka\.tls\.caSecret: it is not used/,
  },
  {
    name: "a name that is too long",
    values: { [`services.${"long-".repeat(12)}one`]: { service: "tuning" } },
    says: /longer than 63 characters/,
  },
];

for (const { name, example = "laptop", values, says } of [...MALFORMED, ...IMPOSSIBLE]) {
  test(`helm refuses ${name}`, async () => {
    const { code, stderr } = await helmTemplate(example, values);
    assert.notEqual(code, 0, "it was taken");
    assert.match(stderr, says);
  });
}

test("all that is wrong is said at once", async () => {
  const { stderr } = await helmTemplate("laptop", { insecure: false, "kafka.brokers": [], "s3.endpoint": "" });
  for (const name of ["insecure", "kafka.brokers", "s3.endpoint"]) assert.ok(stderr.includes(`- ${name}: `), stderr);
});
