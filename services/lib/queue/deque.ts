/** @file A first-in-first-out list whose `shift` does not move the rest, as `Array.shift` does on long arrays. */

/** Taken items stay in the array until there are this many of them and they are half of it. */
const COMPACT_FROM = 1024;

/** Items in order; every operation is O(1), amortised. */
export class Deque<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Returns the item at this distance from the front, or undefined. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Removes and returns the front item, or returns undefined. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    // A taken item may be large: its place stays for a while, the item must not.
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head >= COMPACT_FROM && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
