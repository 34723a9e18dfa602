/** @file A topic in memory: one log of messages, and for every group what it has read and which keys are in hand. */
import { Deque } from "./deque.ts";
import type { Message } from "./queue.ts";

interface Entry {
  readonly message: Message;
  /** Groups that have not finished it. */
  pending: number;
}

/** A message taken by a member of a group; its key is in hand until one of the two is called. */
export interface Claim {
  readonly message: Message;
  done(): void;
  /** Puts the message back in front of its key. */
  release(): void;
}

/** Holds messages until every group that ever took from the topic has finished them; all of them while there is none. */
export class Topic {
  readonly #log = new Deque<Entry>();
  readonly #groups = new Map<string, GroupBacklog>();
  /** Position of the log's front, counted from the topic's first message. */
  #base = 0;

  publish(message: Message): void {
    this.#log.push({ message, pending: this.#groups.size });
  }

  /** Returns the group's backlog; a new group's starts with all that the topic still holds. */
  join(name: string): GroupBacklog {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    for (let index = 0; index < this.#log.length; index++) this.#log.at(index)!.pending += 1;
    const group = new GroupBacklog(
      this.#base,
      (position) => this.#log.at(position - this.#base),
      () => this.#trim(),
    );
    this.#groups.set(name, group);
    return group;
  }

  /** Returns how many messages a group has not done; undefined if it never joined. */
  backlogOf(name: string): number | undefined {
    const group = this.#groups.get(name);
    return group && this.#base + this.#log.length - group.start - group.done;
  }

  #trim(): void {
    while (this.#log.at(0)?.pending === 0) {
      this.#log.shift();
      this.#base += 1;
    }
  }
}

/**
 * What a group has still to do. A key has a queue here from its first message read until its last one done; each
 * message is moved at most once from the log to the queue of its key, so a million messages of one key cost O(n).
 */
class GroupBacklog {
  readonly #queues = new Map<string, Deque<Entry>>();
  /** Keys that have a queue and are not in hand. */
  readonly #ready = new Deque<string>();
  readonly #read: (position: number) => Entry | undefined;
  readonly #trim: () => void;
  /** Position of the group's first message. */
  readonly start: number;
  #cursor: number;
  #done = 0;

  constructor(start: number, read: (position: number) => Entry | undefined, trim: () => void) {
    this.start = start;
    this.#cursor = start;
    this.#read = read;
    this.#trim = trim;
  }

  /** Messages done so far. */
  get done(): number {
    return this.#done;
  }

  /** Returns the next message whose key is not in hand, or undefined. */
  take(): Claim | undefined {
    const key = this.#ready.shift() ?? this.#readOn();
    const queue = key === undefined ? undefined : this.#queues.get(key);
    const entry = queue?.at(0);
    if (key === undefined || queue === undefined || entry === undefined) return undefined;
    return {
      message: entry.message,
      done: () => {
        queue.shift();
        this.#done += 1;
        entry.pending -= 1;
        if (entry.pending === 0) this.#trim();
        if (queue.length === 0) this.#queues.delete(key);
        else this.#ready.push(key);
      },
      release: () => this.#ready.push(key),
    };
  }

  /** Reads on in the log to the first message of a key without a queue; those of other keys join their queues. */
  #readOn(): string | undefined {
    for (let entry = this.#read(this.#cursor); entry !== undefined; entry = this.#read(this.#cursor)) {
      this.#cursor += 1;
      const { key } = entry.message;
      const queue = this.#queues.get(key);
      if (queue === undefined) {
        const own = new Deque<Entry>();
        own.push(entry);
        this.#queues.set(key, own);
        return key;
      }
      queue.push(entry);
    }
    return undefined;
  }
}
