/** @file What a service declares for each kind of job it coordinates. */
import type { PlannedUnit } from "../../proto/radhical/v1/work.ts";
import type { Codec } from "../documents.ts";

/** What a plan is: the result's id, a function of the request and what it refers to, and the units. */
export interface Plan {
  readonly resultId: string;
  /** Taken one by one: a plan of very many need not have them all at once. What taking one throws is as if the plan had thrown it. */
  readonly units: Iterable<PlannedUnit>;
}

/** The units of a plan, in order, as often as wanted. */
export type PlannedUnits = AsyncIterable<PlannedUnit> | Iterable<PlannedUnit>;

/** A kind of job. */
export interface JobDefinition<Request> {
  readonly kind: string;
  /** What progress counts: "images". */
  readonly unit: string;
  readonly codec: Codec<Request>;
  /** Checks the request and lists its units; what it throws goes to the caller and no job is made. */
  plan(request: Request): Promise<Plan>;
  /**
   * Creates the result from the units' outputs. Returns a note for the reader, or undefined. Calls `progress` from its loops: a coordinator
   * that says nothing is taken for dead like any worker.
   */
  finish(
    request: Request,
    resultId: string,
    units: PlannedUnits,
    progress: () => Promise<void>,
  ): Promise<string | undefined>;
}

/** A definition whose request type is forgotten: what its coordinator calls with the bytes of the request. */
export interface FinishableJob {
  readonly kind: string;
  finish(
    request: Uint8Array,
    resultId: string,
    units: PlannedUnits,
    progress: () => Promise<void>,
  ): Promise<string | undefined>;
}

/** Returns a definition without its request type. */
export const finishable = <Request>(definition: JobDefinition<Request>): FinishableJob => ({
  kind: definition.kind,
  finish: (request, resultId, units, progress) =>
    definition.finish(definition.codec.decode(request), resultId, units, progress),
});
