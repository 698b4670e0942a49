import type { ExchangeReply } from "./exchange-reply.ts";

/**
 * Ends the circle of a queue whose jobs of unknown classes go back to its tail: such a queue is tried until every job that it
 * held at the first return has been seen once, and not again by this drain.
 */
export interface TailSweep {
  /** The queues that still hold unseen jobs. */
  without(queues: readonly string[]): readonly string[];
  note(reply: Pick<ExchangeReply, "claims" | "requeued">): void;
}

export function createTailSweep(): TailSweep {
  const unseen = new Map<string, number>();
  return {
    without: (queues) => (unseen.size === 0 ? queues : queues.filter((queue) => (unseen.get(queue) ?? 1) > 0)),
    note({ claims, requeued }) {
      if (unseen.size > 0 || requeued.size > 0) {
        // Told from before the same step claimed: what it claimed is taken off below.
        for (const [queue, length] of requeued) if (!unseen.has(queue)) unseen.set(queue, length);
        for (const { queue } of claims) {
          const left = unseen.get(queue);
          if (left !== undefined) unseen.set(queue, left - 1);
        }
      }
    },
  };
}
