/** @file What the chart renders is valid, and what it promises of every pod holds for every pod. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { z } from "zod";
import { SERVICE_NAMES } from "../../services/lib/service/service-names.ts";
import { SOFTWARE_VERSION } from "../../services/lib/service/version.ts";
import { CHART, containerOf, EXAMPLES, KUBE_VERSION, render, runTool, tool } from "./helm.fixture.ts";

const RESTRICTED_POD = {
  runAsNonRoot: true,
  runAsUser: 10_001,
  runAsGroup: 10_001,
  fsGroup: 10_001,
  seccompProfile: { type: "RuntimeDefault" },
};
const RESTRICTED_CONTAINER = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};
const MARGIN_SECONDS = 10;

for (const example of EXAMPLES) {
  test(`${example}: helm lint finds nothing to say`, async () => {
    const values = ["--values", `${CHART}/examples/${example}.yaml`, "--kube-version", KUBE_VERSION];
    const { code, stdout, stderr } = await runTool(tool("HELM"), ["lint", "--strict", CHART, ...values]);
    assert.equal(code, 0, stdout + stderr);
  });

  test(`${example}: every manifest fits the schema of its kind, KEDA's too`, async () => {
    const { text, manifests } = await render(example);
    const schemas = tool("KUBE_SCHEMAS");
    const args = [
      ...["-strict", "-summary", "-output", "json", "-kubernetes-version", KUBE_VERSION],
      ...[
        "-schema-location",
        `${schemas}/{{.NormalizedKubernetesVersion}}-standalone{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json`,
      ],
      ...["-schema-location", `${schemas}/crd/{{.ResourceKind}}{{.KindSuffix}}.json`],
    ];
    const { code, stdout, stderr } = await runTool(tool("KUBECONFORM"), args, text);
    assert.equal(code, 0, stdout + stderr);
    const { summary } = z.object({ summary: z.record(z.string(), z.number()) }).parse(JSON.parse(stdout));
    assert.deepEqual(summary, { valid: manifests.length, invalid: 0, errors: 0, skipped: 0 });
  });

  test(`${example}: every pod is restricted, and has nothing but secrets by reference and one folder to write to`, async () => {
    const { workloads } = await render(example);
    for (const workload of workloads) {
      const { name } = workload.metadata;
      const { spec } = workload.spec.template;
      const container = containerOf(workload);
      assert.equal(spec.automountServiceAccountToken, false, name);
      assert.deepEqual(spec.securityContext, RESTRICTED_POD, name);
      assert.deepEqual(container.securityContext, RESTRICTED_CONTAINER, name);
      const writable = container.volumeMounts.filter(({ readOnly }) => !readOnly);
      assert.deepEqual(
        writable.map(({ mountPath }) => mountPath),
        ["/tmp"],
        name,
      );
      assert.ok(container.resources.requests.cpu && container.resources.limits.memory, `${name} has no limits`);
      const told = container.env.filter((it) => /TOKEN|PASSWORD|_KEY$/.test(it.name) && it.value !== undefined);
      assert.deepEqual(told, [], `${name} holds a secret in the open`);
    }
  });

  test(`${example}: every service is asked by gRPC for its health where it listens, and outlives its own grace period`, async () => {
    const { workloads } = await render(example);
    for (const workload of workloads.filter(({ kind }) => kind === "Deployment")) {
      const { name } = workload.metadata;
      const { ports, env, args, startupProbe, readinessProbe, livenessProbe } = containerOf(workload);
      const port = ports.find((it) => it.name === "grpc")?.containerPort;
      for (const probe of [startupProbe, readinessProbe, livenessProbe]) assert.equal(probe?.grpc.port, port, name);
      const setting = (wanted: string): string | undefined => env.find((it) => it.name === wanted)?.value;
      assert.equal(setting("RADHICAL_LISTEN"), `0.0.0.0:${port}`, name);
      assert.ok(args.includes("--insecure"), `${name} would refuse to listen beyond its pod`);
      const graceSeconds = Number(setting("RADHICAL_GRACE_MS")) / 1000;
      assert.ok(workload.spec.template.spec.terminationGracePeriodSeconds >= graceSeconds + MARGIN_SECONDS, name);
    }
  });

  test(`${example}: every service of the program is deployed, and has an address by its name`, async () => {
    const { manifests, workloads } = await render(example);
    const served = new Set(workloads.filter(({ kind }) => kind === "Deployment").map((it) => containerOf(it).args[1]));
    assert.deepEqual([...served].sort(), [...SERVICE_NAMES].sort());
    for (const name of SERVICE_NAMES) {
      const found = manifests.some((it) => it.kind === "Service" && it.metadata.name === `radhical-${name}`);
      assert.ok(found, `no Service "radhical-${name}"`);
    }
  });

  test(`${example}: provisioning comes before the rest and needs nothing of it`, async () => {
    const { workloads } = await render(example);
    const job = workloads.find(({ kind }) => kind === "Job");
    assert.ok(job);
    assert.equal(job.metadata.annotations["helm.sh/hook"], "pre-install,pre-upgrade");
    assert.equal(job.spec.template.spec.serviceAccountName, undefined);
  });
}

test("KEDA keeps the replicas that there are while the brokers do not answer, and knows every setting that it is given", async () => {
  const { scaled, workloads } = await render("production");
  assert.ok(scaled.length >= 5);
  const known = new Set((await readFile(`${tool("KUBE_SCHEMAS")}/keda-kafka-settings`, "utf8")).trim().split("\n"));
  for (const { metadata, spec } of scaled) {
    assert.deepEqual(spec.fallback, {
      replicas: Math.max(1, spec.minReplicaCount),
      behavior: "currentReplicasIfHigher",
    });
    const target = workloads.find((it) => it.metadata.name === spec.scaleTargetRef.name);
    assert.ok(target, `${metadata.name} scales nothing`);
    assert.equal(target.spec.replicas, undefined, `${metadata.name}: two would set the replicas`);
    for (const trigger of spec.triggers) {
      const unknown = Object.keys(trigger.metadata).filter((name) => !known.has(name));
      assert.deepEqual(unknown, [], `KEDA's Kafka scaler does not know them`);
    }
  }
});

test("the chart is of the program's version", async () => {
  const chart = await readFile(`${CHART}/Chart.yaml`, "utf8");
  assert.match(chart, new RegExp(`^appVersion: "${SOFTWARE_VERSION.replaceAll(".", "\\.")}"$`, "m"));
});

test("an entry's own tag stands against the digest of all others, and a digest against every tag", async () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const { workloads } = await render("production", { "image.digest": digest });
  const imageOf = (name: string): string | undefined =>
    workloads.filter((it) => it.metadata.name === name).map((it) => containerOf(it).image)[0];
  assert.equal(imageOf("radhical-tuning"), `registry.example.org/pathology/radhical@${digest}`);
  assert.equal(imageOf("radhical-training"), "registry.example.org/pathology/radhical:0.1.0-cuda");
});
