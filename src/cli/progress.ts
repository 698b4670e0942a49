import { MultiBar } from "cli-progress";
import type { DrainEvent } from "../core/events.ts";

/** Shows how far a drain is, on a terminal; elsewhere only lines pass through. */
export interface Progress {
  onEvent(event: DrainEvent): void;
  /** Writes a line above the bar. */
  line(text: string): void;
  stop(): void;
}

/** Lines alone: for pipes and files. */
export function createPlainProgress(stream: NodeJS.WriteStream): Progress {
  return { onEvent: () => {}, line: (text) => void stream.write(`${text}\n`), stop: () => {} };
}

/**
 * A bar of jobs done, out of those that were queued at the start or have come since.
 *
 * @param queued jobs in the drain's queues now
 */
export function createProgressBar(stream: NodeJS.WriteStream, queued: number): Progress {
  const bars = new MultiBar({
    stream,
    format: "{bar} {value}/{total} jobs, {failed} failed, {duration_formatted}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    emptyOnZero: true,
    // The command line has its own way to stop, which lets running jobs end.
    gracefulExit: false,
  });
  let done = 0;
  let failed = 0;
  let claimed = 0;
  let total = queued;
  const bar = bars.create(total, 0, { failed });
  return {
    onEvent(event) {
      if (event.kind === "job-claimed") claimed++;
      else if (event.kind === "job-ended") {
        done++;
        if (event.outcome.kind === "failed") failed++;
      } else return;
      if (claimed > total) {
        total = claimed;
        bar.setTotal(total);
      }
      bar.update(done, { failed });
    },
    line: (text) => bars.log(`${text}\n`),
    stop() {
      if (!bars.isActive) return;
      // Lines wait for the next redraw, which would not come any more.
      bars.update();
      bars.stop();
    },
  };
}
