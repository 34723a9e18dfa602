/** @file The queue port inside one process, for the embedded system. */
import { DomainError } from "../errors.ts";
import { type AttemptsFolder, openAttemptsFolder } from "./attempts-folder.ts";
import { type DeliverContext, deliver, pause } from "./deliver.ts";
import { type Claim, Topic } from "./in-process-topic.ts";
import type { ConsumeOptions, Consumer, Queue, QueueLog } from "./queue.ts";
import { checkSizes, closedQueue, inActiveTrace, placesOf, unknownTopic, withDeadLetterTopics } from "./rules.ts";
import { watchForStalls } from "./stall-watch.ts";

/** Rest before a message is delivered again whose attempt could not be written. */
const LEDGER_PAUSE_MS = 1000;
/** Failures in a row after which a consumer gives up: a disk that is full or gone will not come back by waiting. */
const MAX_LEDGER_FAILURES = 5;

export interface InProcessQueueOptions {
  /** Where attempts are remembered across the death of the process; used by one process at a time. */
  readonly folder: string;
  /** A consumer whose work in hand says nothing for this long fails (`Consumer.failed`); undefined: never. */
  readonly stallMs?: number;
  readonly log?: QueueLog;
}

/**
 * Opens a queue whose messages live in memory and end with the process; only attempts outlive it, in `folder`. What
 * was published and not done has to be published again after a restart, with the same key, value and `job` header.
 */
export async function openInProcessQueue({ folder, stallMs, log }: InProcessQueueOptions): Promise<Queue> {
  const attempts = await openAttemptsFolder(folder);
  const topics = new Map<string, Topic>();
  const members = new Map<Member, ConsumeOptions>();
  let closed = false;

  const find = (action: string, name: string): Topic => {
    if (closed) throw closedQueue(action.replace(/ (to|from)$/, ""));
    const topic = topics.get(name);
    if (topic === undefined) throw unknownTopic(action, name);
    return topic;
  };
  const wakeAll = () => {
    for (const member of members.keys()) member.wake();
  };

  const queue: Queue = {
    async requireTopics(names) {
      for (const name of withDeadLetterTopics(names)) if (!topics.has(name)) topics.set(name, new Topic());
    },
    async publish(name, messages) {
      const topic = find("publish to", name);
      checkSizes(name, messages);
      // Copied, so that a caller who reuses a buffer cannot change what is on its way.
      for (const { key, value, headers } of inActiveTrace(messages)) {
        topic.publish({ key, value: value.slice(), headers: { ...headers } });
      }
      wakeAll();
    },
    async consume(options) {
      const sources = options.topics.map((name) => ({ name, backlog: find("consume from", name).join(options.group) }));
      const context = { publish: queue.publish, log, stallMs };
      const member = startMember(sources, options, attempts, context, wakeAll);
      members.set(member, options);
      member.wake();
      const stop = async () => {
        await member.stop();
        members.delete(member);
      };
      return { failed: member.failed, stop } satisfies Consumer;
    },
    backlog: async () =>
      placesOf(members.values()).map((place) => ({
        ...place,
        messages: topics.get(place.topic)?.backlogOf(place.group) ?? 0,
      })),
    async close() {
      closed = true;
      await Promise.all([...members.keys()].map((member) => member.stop()));
      members.clear();
    },
  };
  return queue;
}

interface Source {
  readonly name: string;
  readonly backlog: { take(): Claim | undefined };
}

interface Member {
  /** Resolves when attempts could not be written time after time. */
  readonly failed: Promise<Error>;
  /** Takes messages while there are any and it has room. */
  wake(): void;
  stop(): Promise<void>;
}

const ledgerFailed = (cause: unknown): DomainError =>
  new DomainError(
    "resourceExhausted",
    "ATTEMPTS_UNWRITABLE",
    `Cannot write down attempts (${cause instanceof Error ? cause.message : String(cause)}); make room on the disk or check the folder`,
    { cause },
  );

/** Returns what takes the next message there is. Topics take turns, so that a long backlog in one does not hold up the others. */
function taker(sources: readonly Source[]): () => { topic: string; claim: Claim } | undefined {
  let turn = 0;
  return () => {
    for (let tried = 0; tried < sources.length; tried++) {
      const source = sources[turn++ % sources.length]!;
      const claim = source.backlog.take();
      if (claim !== undefined) return { topic: source.name, claim };
    }
    return undefined;
  };
}

function startMember(
  sources: readonly Source[],
  options: ConsumeOptions,
  attempts: AttemptsFolder,
  context: DeliverContext & { readonly stallMs: number | undefined },
  wakeAll: () => void,
): Member {
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  const concurrency = options.concurrency ?? 1;
  const take = taker(sources);
  let failuresInARow = 0;
  let giveUp: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    giveUp = resolve;
  });
  const stalls = watchForStalls(context.stallMs, giveUp, context.log);

  const handle = async (topic: string, claim: Claim): Promise<void> => {
    const { message } = claim;
    const { tally, record, forget } = attempts(options.group, topic, message);
    const held = stalls.hold({ topic, key: message.key });
    const inHand = {
      topic,
      message,
      tally,
      record,
      signal: stopping.signal,
      commit: forget,
      heartbeat: async () => held.advance(),
    };
    const outcome = await deliver(inHand, options, context).catch(async (thrown: unknown) => {
      context.log?.error({ err: thrown, topic, group: options.group }, "cannot record attempt, delivering again");
      if (++failuresInARow >= MAX_LEDGER_FAILURES) giveUp(ledgerFailed(thrown));
      await pause(LEDGER_PAUSE_MS, stopping.signal);
      return "released" as const;
    });
    held.end();
    if (outcome === "done") {
      failuresInARow = 0;
      claim.done();
    } else claim.release();
  };

  const wake = () => {
    while (!stopping.signal.aborted && running.size < concurrency) {
      const next = take();
      if (next === undefined) return;
      const task: Promise<void> = handle(next.topic, next.claim).finally(() => {
        running.delete(task);
        wakeAll();
      });
      running.add(task);
    }
  };

  return {
    failed,
    wake,
    async stop() {
      stalls.stop();
      stopping.abort();
      await Promise.all(running);
    },
  };
}
