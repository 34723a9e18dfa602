/** @file The chart as its checks see it: what helm makes of values, read back as objects. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

/** The repository's root, seen from the compiled file. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** The chart's folder. */
export const CHART = `${ROOT}charts/radhical`;
/** The values that come with the chart. */
export const EXAMPLES = ["laptop", "production"] as const;
export type Example = (typeof EXAMPLES)[number];

/** What charts/check has fetched and what it names here. */
export const tool = (name: "HELM" | "KUBECONFORM" | "KUBE_SCHEMAS" | "COMPOSE_SPEC"): string => {
  const path = process.env[name];
  if (!path) throw new Error(`${name} is not set: run charts/check, which gets the tools`);
  return path;
};

/** How a command ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, whatever that is. */
export function runTool(command: string, args: readonly string[], input = "", cwd = ROOT): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { cwd, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** A Kubernetes release that has all that the chart uses; helm built from source knows none by itself. */
export const KUBE_VERSION = "1.34.0";

/** Runs `helm template` on an example with further values, as `--set-json` takes them. */
export const helmTemplate = (
  example: Example,
  values: Readonly<Record<string, unknown>> = {},
): Promise<CommandResult> =>
  runTool(tool("HELM"), [
    ...["template", "radhical", CHART, "--namespace", "pathology", "--kube-version", KUBE_VERSION],
    ...["--values", `${CHART}/examples/${example}.yaml`],
    ...Object.entries(values).flatMap(([path, value]) => ["--set-json", `${path}=${JSON.stringify(value)}`]),
  ]);

const KeyOf = z.object({ name: z.string(), key: z.string() });
const Env = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.object({ secretKeyRef: KeyOf }).optional(),
});
const Probe = z.object({ grpc: z.object({ port: z.number() }) });

/** A container of a pod, as far as the checks look. */
export const Container = z.object({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(Env),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
  startupProbe: Probe.optional(),
  readinessProbe: Probe.optional(),
  livenessProbe: Probe.optional(),
  resources: z.object({ requests: z.record(z.string(), z.unknown()), limits: z.record(z.string(), z.unknown()) }),
  securityContext: z.unknown(),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().default(false) })),
});
export type Container = z.output<typeof Container>;

const Volume = z.object({
  name: z.string(),
  emptyDir: z.object({ sizeLimit: z.string() }).optional(),
  secret: z
    .object({ secretName: z.string(), items: z.array(z.object({ key: z.string(), path: z.string() })) })
    .optional(),
});

/** A Deployment or a Job. */
export const Workload = z.object({
  kind: z.enum(["Deployment", "Job"]),
  metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
  spec: z.object({
    replicas: z.number().optional(),
    template: z.object({
      spec: z.object({
        automountServiceAccountToken: z.boolean(),
        serviceAccountName: z.string().optional(),
        terminationGracePeriodSeconds: z.number().default(30),
        securityContext: z.unknown(),
        containers: z.array(Container).length(1),
        volumes: z.array(Volume),
      }),
    }),
  }),
});
export type Workload = z.output<typeof Workload>;

/** KEDA's wish for a Deployment. */
export const ScaledObject = z.object({
  kind: z.literal("ScaledObject"),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    scaleTargetRef: z.object({ name: z.string() }),
    minReplicaCount: z.number(),
    maxReplicaCount: z.number(),
    fallback: z.object({ replicas: z.number(), behavior: z.string() }),
    triggers: z.array(z.object({ type: z.literal("kafka"), metadata: z.record(z.string(), z.string()) })).min(1),
  }),
});
export type ScaledObject = z.output<typeof ScaledObject>;

/** An object of any kind. */
export const Manifest = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) });
export type Manifest = z.output<typeof Manifest>;

/** What an example comes to. */
export interface Rendered {
  readonly text: string;
  readonly manifests: readonly Manifest[];
  readonly workloads: readonly Workload[];
  readonly scaled: readonly ScaledObject[];
}

/** Renders an example. Throws what helm says where it refuses. */
export async function render(example: Example, values: Readonly<Record<string, unknown>> = {}): Promise<Rendered> {
  const { code, stdout, stderr } = await helmTemplate(example, values);
  if (code !== 0) throw new Error(`helm refused ${example}:\n${stderr}`);
  const manifests = parseAllDocuments(stdout).flatMap((document) => {
    const content: unknown = document.toJS();
    return content === null ? [] : [Manifest.parse(content)];
  });
  return {
    text: stdout,
    manifests,
    workloads: manifests.filter(({ kind }) => kind === "Deployment" || kind === "Job").map((it) => Workload.parse(it)),
    scaled: manifests.filter(({ kind }) => kind === "ScaledObject").map((it) => ScaledObject.parse(it)),
  };
}

/** Returns the only container of a workload. */
export function containerOf(workload: Workload): Container {
  const [container] = workload.spec.template.spec.containers;
  if (!container) throw new Error(`"${workload.metadata.name}" has no container`);
  return container;
}
