/** @file Denormals are zero in all that computes: training's moments become denormal, and one way or the other are other bits. */
import { probeModel } from "./probe-model.ts";

/** Of a session: what has an exponent too small for a normal number counts as 0, which also spares late training steps most of their time. */
export const DENORMALS_ARE_ZERO = { set_denormal_as_zero: "1" };

const LOG_NOTHING = 4;

/**
 * Makes this thread, and every one that it starts from now on, take denormals for zero. ONNX Runtime does that for the thread of a process's
 * first session and never again, so that workers would differ; a thread inherits it from the one that starts it. Takes some milliseconds.
 */
export async function takeDenormalsForZero(): Promise<void> {
  // Loaded when first needed: most processes never compute.
  const ort = await import("onnxruntime-node");
  const options = { logSeverityLevel: LOG_NOTHING, extra: { session: DENORMALS_ARE_ZERO } } as const;
  const session = await ort.InferenceSession.create(probeModel(), options);
  await session.release();
}
