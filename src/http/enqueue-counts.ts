/** What became of the jobs of a request, as far as it went. Members that are 0 are left out, but for the first. */
export interface EnqueueCounts {
  readonly enqueued: number;
  readonly replaced?: number;
  readonly dropped?: number;
}

export const NO_COUNTS: EnqueueCounts = { enqueued: 0 };

/** Adds what `enqueueAll` tells. */
export function addCounts(sum: EnqueueCounts, more: Required<EnqueueCounts>): EnqueueCounts {
  const replaced = (sum.replaced ?? 0) + more.replaced;
  const dropped = (sum.dropped ?? 0) + more.dropped;
  return {
    enqueued: sum.enqueued + more.enqueued,
    ...(replaced > 0 && { replaced }),
    ...(dropped > 0 && { dropped }),
  };
}
