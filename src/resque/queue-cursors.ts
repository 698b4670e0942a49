/** How far the jobs at a queue's head have been looked at, none of which may start. */
export interface QueueCursor {
  /** So many of them. */
  readonly depth: number;
  /** What their limits count them under. Jobs of the same name wait behind them, wherever they stand. */
  readonly names: readonly string[];
}

/**
 * Lets a drain look beyond a queue's head, so many payloads in each exchange, if it is full of jobs that may not start: each exchange
 * tries the head, and goes on from where the last one has stopped.
 */
export interface QueueCursors {
  of(queue: string): QueueCursor | undefined;
  /**
   * Takes what one exchange has come upon.
   *
   * @returns whether there is more to look at
   */
  note(reached: ReadonlyMap<string, QueueCursor>, claimed: number): boolean;
}

/** Behind so many jobs that may not start, or jobs of so many names, the others come to light when they have become fewer. */
const MAX_DEPTH = 20_000;
const MAX_NAMES = 500;
/** What has been passed is looked at again after so many exchanges that found something behind it: meanwhile it may start. */
const RESTART_AFTER = 10;

export function createQueueCursors(): QueueCursors {
  let cursors: ReadonlyMap<string, QueueCursor> = new Map();
  let finds = 0;
  return {
    of: (queue) => cursors.get(queue),
    note(reached, claimed) {
      const further = [...reached].filter(([, { depth, names }]) => depth <= MAX_DEPTH && names.length <= MAX_NAMES);
      if (claimed > 0) finds++;
      const isRestart = finds > RESTART_AFTER;
      if (isRestart) finds = 0;
      cursors = new Map(isRestart ? [] : further);
      return further.length > 0;
    },
  };
}
