import type { ExchangeReply } from "./exchange-reply.ts";

/**
 * Ends the circle of a queue whose jobs of unknown classes go back to its tail: such a queue is tried until every job that it
 * held at the first return has been seen once, and then, by a drain that lasts so long, a minute later again.
 */
export interface TailSweep {
  /** The queues that still hold unseen jobs, or may hold new ones. */
  without(queues: readonly string[]): readonly string[];
  note(reply: Pick<ExchangeReply, "claims" | "requeued">): void;
}

/** The next drain of a host whose ticks come each minute would do so, too. */
const AGAIN_MS = 60_000;

interface Circle {
  unseen: number;
  /** When to begin anew, if it has been closed by then. */
  againMs: number;
}

export function createTailSweep(nowMs: () => number): TailSweep {
  const circles = new Map<string, Circle>();
  const isTried = (queue: string): boolean => {
    const circle = circles.get(queue);
    if (!circle || circle.unseen > 0) return true;
    if (nowMs() < circle.againMs) return false;
    return circles.delete(queue);
  };
  return {
    without: (queues) => queues.filter(isTried),
    note({ claims, requeued }) {
      const againMs = nowMs() + AGAIN_MS;
      // Told from before the same step claimed: what it claimed is taken off below.
      for (const [queue, unseen] of requeued) if (!circles.has(queue)) circles.set(queue, { unseen, againMs });
      for (const { queue } of claims) {
        const circle = circles.get(queue);
        if (!circle) continue;
        circle.unseen--;
        circle.againMs = againMs;
      }
    },
  };
}
