/** @file Which units of a job are done, partly done or dead. Pure bookkeeping; an event costs the same for 3 units and 100,000. */
import type { Job } from "../../proto/radhical/v1/jobs.ts";
import type { UnitTable } from "./unit-table.ts";

/** Waiting for a group; published, or about to be; ended in the dead-letter topic; done. */
const WAITING = 0;
const OPEN = 1;
const DEAD = 2;
const DONE = 3;

/** Progress of a plan. A repeat of an event changes nothing, so events may come twice and in any order. */
export class UnitProgress {
  readonly dead = new Map<number, string>();
  readonly #units: UnitTable;
  readonly #states: Uint8Array;
  readonly #partial = new Map<number, bigint>();
  /** Units of each group that are not done. */
  readonly #openInGroup = new Map<string, number>();
  /** Units by the group they wait for; a group leaves when its units are taken. */
  readonly #waiting = new Map<string, number[]>();
  /** Groups that are complete and whose waiting units nobody has taken. */
  readonly #ready = new Set<string>();
  #doneCount = 0;
  #openCount = 0;
  #amountDone = 0n;

  /** `done` says of every unit whether its output exists. */
  constructor(units: UnitTable, done: Uint8Array) {
    this.#units = units;
    this.#states = new Uint8Array(units.count);
    for (let index = 0; index < units.count; index++) {
      const [group, after] = [units.group(index), units.after(index)];
      this.#openInGroup.set(group, (this.#openInGroup.get(group) ?? 0) + 1);
      if (after === "") {
        this.#states[index] = OPEN;
        this.#openCount++;
        continue;
      }
      const waiting = this.#waiting.get(after);
      if (waiting) waiting.push(index);
      else this.#waiting.set(after, [index]);
    }
    for (const group of this.#waiting.keys()) if (!this.#openInGroup.has(group)) this.#ready.add(group);
    this.markAllDone(done);
  }

  markDone(index: number): void {
    if (!this.#units.has(index) || this.#states[index] === DONE) return;
    this.#amountDone += this.#units.amount(index) - (this.#partial.get(index) ?? 0n);
    this.#partial.delete(index);
    this.dead.delete(index);
    if (this.#states[index] === OPEN) this.#openCount--;
    this.#states[index] = DONE;
    this.#doneCount++;
    const group = this.#units.group(index);
    const left = (this.#openInGroup.get(group) ?? 1) - 1;
    this.#openInGroup.set(group, left);
    if (left === 0 && this.#waiting.has(group)) this.#ready.add(group);
  }

  /** Marks every unit whose entry is not 0. */
  markAllDone(done: Uint8Array): void {
    for (const [index, bit] of done.entries()) if (bit !== 0) this.markDone(index);
  }

  /** Takes that `amount` of a unit's amount is done; never less than none of it or more than all. */
  markPartial(index: number, amount: bigint): void {
    if (!this.#units.has(index) || this.#states[index] === DONE) return;
    const whole = this.#units.amount(index);
    const part = amount < 0n ? 0n : amount > whole ? whole : amount;
    this.#amountDone += part - (this.#partial.get(index) ?? 0n);
    this.#partial.set(index, part);
  }

  markDead(index: number, error: string): void {
    if (!this.#units.has(index) || this.#states[index] === DONE) return;
    if (this.#states[index] === OPEN) this.#openCount--;
    this.#states[index] = DEAD;
    this.dead.set(index, error);
  }

  get isComplete(): boolean {
    return this.#doneCount === this.#units.count;
  }

  /** True if nothing more can happen: what is not done is dead, or waits for something that is. */
  get isStuck(): boolean {
    return !this.isComplete && this.#openCount === 0 && this.#ready.size === 0;
  }

  /** Says why a job whose progress is stuck has failed, counted as its progress is: "3 of 214 tiles failed: …". */
  failure({ total, unit }: Pick<Job, "total" | "unit">): string {
    const dead = [...this.dead].sort(([a], [b]) => a - b);
    const reason = dead[0]?.[1] ?? "they wait for each other";
    const amount = dead.reduce((sum, [index]) => sum + this.#units.amount(index), 0n);
    // Some units are no part of the progress: the joining of tiles, of networks.
    if (amount === 0n) return `${dead.length} of ${this.#units.count} units failed: ${reason}`;
    return `${unit === "%" ? `${amount} %` : `${amount} of ${total} ${unit}`} failed: ${reason}`;
  }

  get amountDone(): bigint {
    return this.#amountDone;
  }

  /** Returns the units, in order, that can be published now for the first time: those whose group to wait for has just been completed. */
  takeReleased(): number[] {
    const released: number[] = [];
    for (const group of this.#ready) {
      for (const index of this.#waiting.get(group) ?? []) if (this.#states[index] === WAITING) released.push(index);
      this.#waiting.delete(group);
    }
    this.#ready.clear();
    for (const index of released) this.#states[index] = OPEN;
    this.#openCount += released.length;
    return released.sort((a, b) => a - b);
  }

  /** Returns the units, of all or from `start` to before `end`, that are published or can be and of which nobody knows how they ended. */
  openUnits(start = 0, end = this.#units.count): number[] {
    const open: number[] = [];
    for (let index = start; index < end; index++) if (this.#states[index] === OPEN) open.push(index);
    return open;
  }
}
