/** @file A pod that the chart renders as a process of this machine: secrets looked up, mounted files laid down, its port a free one. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryFolder } from "../radhical-command.fixture.ts";
import { type ContainerProcess, localSetting } from "./container.fixture.ts";
import { containerOf, type Workload } from "./helm.fixture.ts";
import type { LocalServers } from "./local-servers.fixture.ts";

const secretOf = ({ secrets }: LocalServers, name: string, key: string): string => {
  const value = secrets[name]?.[key];
  assert.ok(value, `there is no secret "${name}" with the key "${key}"`);
  return value;
};

/** Writes the files that secrets mount into a folder that stands for the container's root. */
async function layDown(root: string, workload: Workload, servers: LocalServers): Promise<void> {
  const { volumes } = workload.spec.template.spec;
  for (const { name, mountPath } of containerOf(workload).volumeMounts) {
    const volume = volumes.find((it) => it.name === name);
    assert.ok(volume, `${workload.metadata.name} mounts "${name}", which is no volume`);
    for (const { key, path } of volume.secret?.items ?? []) {
      const file = join(root, mountPath, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, secretOf(servers, volume.secret?.secretName ?? "", key));
    }
  }
}

/** Returns the container of a workload as a process. */
export async function podProcess(t: TestContext, workload: Workload, servers: LocalServers): Promise<ContainerProcess> {
  const { args, env, ports, volumeMounts } = containerOf(workload);
  const root = await temporaryFolder(t);
  await layDown(root, workload, servers);
  const mounted = volumeMounts.filter(({ readOnly }) => readOnly).map(({ mountPath }) => `${mountPath}/`);
  const port = ports[0]?.containerPort;
  const settings = env.map(({ name, value, valueFrom }) => {
    const { secretKeyRef } = valueFrom ?? {};
    if (secretKeyRef) return [name, secretOf(servers, secretKeyRef.name, secretKeyRef.key)] as const;
    assert.ok(value !== undefined, `${workload.metadata.name} has no value for ${name}`);
    if (mounted.some((folder) => value.startsWith(folder))) return [name, join(root, value)] as const;
    return [name, localSetting(name, value, port)] as const;
  });
  const graceSeconds = workload.spec.template.spec.terminationGracePeriodSeconds;
  return { name: workload.metadata.name, args, env: Object.fromEntries(settings), graceSeconds };
}
