/** @file Which units of a job are done, partly done or dead. Pure bookkeeping. */
import type { JobPlan, PlannedUnit } from "../../proto/radhical/v1/work.ts";

/** Progress of a plan. A repeat of an event sets a set bit, so events may come twice and in any order. */
export class UnitProgress {
  readonly units: readonly PlannedUnit[];
  readonly dead = new Map<number, string>();
  readonly #done: Uint8Array;
  readonly #partial = new Map<number, bigint>();
  readonly #publishedGroups = new Set<string>([""]);
  readonly #openInGroup = new Map<string, number>();

  constructor(plan: JobPlan, done: Uint8Array) {
    this.units = plan.units;
    this.#done = done;
    for (const [index, unit] of plan.units.entries()) {
      if (done[index] === 0) this.#openInGroup.set(unit.group, (this.#openInGroup.get(unit.group) ?? 0) + 1);
    }
  }

  markDone(index: number): void {
    const unit = this.units[index];
    if (!unit || this.#done[index] !== 0) return;
    this.#done[index] = 1;
    this.dead.delete(index);
    this.#partial.delete(index);
    this.#openInGroup.set(unit.group, (this.#openInGroup.get(unit.group) ?? 1) - 1);
  }

  markPartial(index: number, amount: bigint): void {
    if (this.#done[index] === 0) this.#partial.set(index, amount);
  }

  markDead(index: number, error: string): void {
    if (this.#done[index] === 0) this.dead.set(index, error);
  }

  isDone(index: number): boolean {
    return this.#done[index] === 1;
  }

  get isComplete(): boolean {
    return this.#done.every((bit) => bit === 1);
  }

  /** True if nothing more can happen: what is not done is dead, or waits for something that is. */
  get isStuck(): boolean {
    if (this.dead.size === 0) return false;
    const blocked = this.#blockedGroups();
    return this.units.every((unit, index) => this.isDone(index) || this.dead.has(index) || blocked.has(unit.after));
  }

  get amountDone(): bigint {
    let sum = 0n;
    for (const [index, unit] of this.units.entries())
      sum += this.isDone(index) ? unit.amount : (this.#partial.get(index) ?? 0n);
    return sum;
  }

  /** Returns the units that can be published now for the first time: those whose group to wait for has just been completed. */
  takeReleased(): number[] {
    const released = new Set<string>();
    for (const unit of this.units) {
      if (!this.#publishedGroups.has(unit.after) && (this.#openInGroup.get(unit.after) ?? 0) === 0)
        released.add(unit.after);
    }
    for (const group of released) this.#publishedGroups.add(group);
    return this.#openIndices((unit) => released.has(unit.after));
  }

  /** Returns the units that are not done and wait for nothing. */
  openAtOnce(): number[] {
    return this.#openIndices((unit) => unit.after === "");
  }

  #openIndices(matches: (unit: PlannedUnit) => boolean): number[] {
    return [...this.units.entries()]
      .filter(([index, unit]) => !this.isDone(index) && matches(unit))
      .map(([index]) => index);
  }

  #blockedGroups(): Set<string> {
    const blocked = new Set<string>();
    for (const index of this.dead.keys()) blocked.add(this.units[index]?.group ?? "");
    blocked.delete("");
    return blocked;
  }
}
