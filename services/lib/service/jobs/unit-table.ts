/** @file What a coordinator keeps of a plan's units in memory: numbers, and the names of outputs. The messages stay in the store. */
import type { PlannedUnit } from "../../proto/radhical/v1/work.ts";

const UNITS_PER_SIGN = 1000;

/** The units of a plan by number; some 100 bytes each. */
export class UnitTable {
  /** By the folder of the output, then by the rest of its key: the unit, or the units, that make it. */
  readonly outputs = new Map<string, Map<string, number | number[]>>();
  readonly #amounts: number[] = [];
  /** Numbers of names, one for all units that share one. */
  readonly #groups: number[] = [];
  readonly #afters: number[] = [];
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();

  /** Returns the table of a plan's units; calls `progress` on the way. */
  static async of(units: AsyncIterable<PlannedUnit>, progress: () => Promise<void>): Promise<UnitTable> {
    const table = new UnitTable();
    for await (const unit of units) {
      table.add(unit);
      if (table.count % UNITS_PER_SIGN === 0) await progress();
    }
    return table;
  }

  add({ amount, group, after, outputKey }: Pick<PlannedUnit, "amount" | "group" | "after" | "outputKey">): void {
    const index = this.count;
    this.#amounts.push(Number(amount));
    this.#groups.push(this.#numberOf(group));
    this.#afters.push(this.#numberOf(after));
    const cut = outputKey.lastIndexOf("/") + 1;
    const folder = outputKey.slice(0, cut);
    const names = this.outputs.get(folder) ?? new Map<string, number | number[]>();
    this.outputs.set(folder, names);
    const name = outputKey.slice(cut);
    const known = names.get(name);
    if (known === undefined) names.set(name, index);
    else if (typeof known === "number") names.set(name, [known, index]);
    else known.push(index);
  }

  get count(): number {
    return this.#amounts.length;
  }

  has(index: number): boolean {
    return index in this.#amounts;
  }

  /** Returns a unit's share of the job's progress. */
  amount(index: number): bigint {
    return BigInt(this.#amounts[index] ?? 0);
  }

  /** Returns the group that a unit is in; "": none. */
  group(index: number): string {
    return this.#names[this.#groups[index] ?? -1] ?? "";
  }

  /** Returns the group that a unit waits for; "": none. */
  after(index: number): string {
    return this.#names[this.#afters[index] ?? -1] ?? "";
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#names.push(name) - 1;
    this.#numbers.set(name, number);
    return number;
  }
}
