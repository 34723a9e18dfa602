/**
 * @file The script of a runtime worker: ONNX Runtime's sessions live here because its `run` and `create` hold their
 * thread for as long as they take. It ends by the message `stop` only: ending the thread during a run aborts the process.
 */
import { parentPort, workerData } from "node:worker_threads";
import * as ort from "onnxruntime-node";
import { DENORMALS_ARE_ZERO } from "./denormals.ts";
import type { FromWorker, Request, ToWorker, WorkerSettings } from "./messages.ts";
import { detach, isElementType, lentBuffers, type Tensor, type Tensors } from "./tensor.ts";

if (parentPort === null) throw new Error("runtime-worker is a worker's script; open a runtime instead");
const port = parentPort;
type RunRequest = Extract<Request, { readonly kind: "run" }>;
const settings = workerData as WorkerSettings;
const sessions = new Map<number, ort.InferenceSession>();

// The Node binding has no option against TF32, which keeps 10 of a float32's 23 bits. NVIDIA's libraries read this when they load,
// from the process's environment, which this thread shares.
if (settings.provider === "cuda") process.env.NVIDIA_TF32_OVERRIDE = "0";

/** Fatal only: failures reach the caller as errors, a second copy on stderr helps nobody. */
const LOG_SEVERITY = 4;

const SESSION_OPTIONS: ort.InferenceSession.SessionOptions = {
  executionProviders: [settings.provider],
  intraOpNumThreads: settings.threads,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  enableCpuMemArena: true,
  logSeverityLevel: LOG_SEVERITY,
  extra: {
    session: {
      intra_op: { allow_spinning: "0" }, // spinning would burn the cores that other workers need
      ...DENORMALS_ARE_ZERO, // for a session's own threads; this thread has inherited it
      // a node that a GPU cannot run is an error: ONNX Runtime would silently put it on the CPU
      ...(settings.provider !== "cpu" && { disable_cpu_ep_fallback: "1" }),
    },
  },
};

async function perform(request: Request): Promise<Tensors> {
  switch (request.kind) {
    case "create":
      sessions.set(request.session, await ort.InferenceSession.create(request.model, SESSION_OPTIONS));
      return {};
    case "run":
      return run(sessionOf(request.session), request);
    case "release":
      await sessions.get(request.session)?.release();
      sessions.delete(request.session);
      return {};
    default: {
      const unreachable: never = request;
      return unreachable;
    }
  }
}

function sessionOf(id: number): ort.InferenceSession {
  const session = sessions.get(id);
  if (session === undefined) throw new Error(`Cannot find session ${id} on this worker`);
  return session;
}

async function run(session: ort.InferenceSession, { feeds, outputs, into = {} }: RunRequest): Promise<Tensors> {
  const names = outputs.length > 0 ? outputs : session.outputNames;
  const given = toOrt(into);
  const fetches = Object.fromEntries(names.map((name) => [name, given[name] ?? null]));
  const results: ort.InferenceSession.OnnxValueMapType = await session.run(toOrt(feeds), fetches);
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [name, into[name] ?? toTensor(name, value)]),
  );
}

const toOrt = (tensors: Tensors): Record<string, ort.Tensor> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]),
  );

function toTensor(name: string, { type, dims, data }: ort.Tensor): Tensor {
  if (!isElementType(type)) throw new Error(`Cannot return output "${name}": its type is ${type}`);
  return { type, dims: [...dims], data, transfer: true } as Tensor;
}

async function answer(id: number, request: Request): Promise<void> {
  try {
    const startedMs = performance.now();
    const outputs = await perform(request);
    const seconds = (performance.now() - startedMs) / 1_000;
    const { tensors, transfers } = detach(outputs);
    const lent = request.kind === "run" ? lentBuffers(request.feeds) : [];
    port.postMessage({ kind: "done", id, outputs: tensors, lent, seconds } satisfies FromWorker, [
      ...transfers,
      ...lent,
    ]);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    port.postMessage({ kind: "failed", id, message } satisfies FromWorker);
  }
}

async function stop(): Promise<void> {
  for (const session of sessions.values()) await session.release();
  port.close();
}

/** One thing at a time, also where a request awaits something: a release must not overtake the run before it. */
let last: Promise<void> = Promise.resolve();
port.on("message", (message: ToWorker) => {
  last = last.then(() => (message.kind === "stop" ? stop() : answer(message.id, message.request)));
});
port.postMessage({ kind: "ready", version: ort.env.versions.node ?? "unknown" } satisfies FromWorker);
