import { MultiBar, SingleBar } from "cli-progress";
import type { DrainEvent } from "../core/events.ts";

/** Shows how far a drain is, on a terminal; elsewhere only lines pass through. */
export interface Progress {
  onEvent(event: DrainEvent): void;
  /** Writes a line above the bar. */
  line(text: string): void;
  stop(): void;
}

/** How both bars look. The command line has its own way to stop, which lets running jobs end. */
const LOOK = { barCompleteChar: "█", barIncompleteChar: "░", clearOnComplete: true, gracefulExit: false } as const;

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
    ...LOOK,
    emptyOnZero: true,
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

/** Shows how much of a file is read, on a terminal. */
export interface FileProgress {
  update(bytes: number, jobs: number): void;
  stop(): void;
}

/** A bar of bytes read, with the jobs that are enqueued. */
export function createFileBar(stream: NodeJS.WriteStream, totalBytes: number): FileProgress {
  const format = "{bar} {percentage} %, {jobs} jobs enqueued, {duration_formatted}";
  const bar = new SingleBar({ ...LOOK, stream, format });
  bar.start(totalBytes, 0, { jobs: 0 });
  return {
    update: (bytes, jobs) => bar.update(bytes, { jobs }),
    stop: () => bar.stop(),
  };
}
