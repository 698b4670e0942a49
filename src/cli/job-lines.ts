import { styleText } from "node:util";
import type { DrainEvent } from "../core/events.ts";
import type { Failure, Outcome } from "../core/outcome.ts";
import { formatDuration } from "./report-text.ts";
import { toLine } from "./terminal-text.ts";

/**
 * A drain's event as a line for people who watch: one for each job that ends, and one for what is out of the ordinary.
 *
 * @returns undefined for an event that is not worth a line
 */
export function formatEvent(event: DrainEvent): string | undefined {
  switch (event.kind) {
    case "job-ended":
      return line(event.queue, event.class, `${formatOutcome(event.outcome)}  ${formatDuration(event.durationMs)}`);
    case "job-lost":
      return line(event.queue, event.class, styleText("yellow", "taken back by another drain; it runs again"));
    case "drain-recovered":
      return line("", "", `a dead drain's jobs: ${event.requeued} back in their queues, ${event.failed} failed`);
    case "store-retry":
      return line(
        "",
        "",
        styleText("yellow", `${toLine(event.error.message)}; again in ${formatDuration(event.delayMs)}`),
      );
    case "jobs-promoted":
      return line("", "", `${event.promoted} that were due, to their queues`);
    case "schedule-ticked":
      return line(event.queue, event.class, `by the schedule ${toLine(event.name)}, ${event.jobs} enqueued`);
    case "drain-requested":
      return line("", "", `another drain was started: ${WHY[event.reason]}`);
    case "ticks-missed":
      return line("", "", styleText("yellow", `no drain for ${formatDuration(event.silentMs)}`));
    case "drain-started":
    case "job-claimed":
    case "job-checkin":
    case "drain-ended":
    case "drain-failed":
    case "jobs-enqueued":
    case "resource-opened":
    // It is logged.
    case "hook-failed":
      return undefined;
    default:
      return event satisfies never;
  }
}

const WHY = {
  kick: "jobs were enqueued",
  successor: "jobs are left",
  sibling: "many jobs wait",
} as const;

function line(queue: string, className: string | undefined, text: string): string {
  const time = styleText("dim", new Date().toTimeString().slice(0, 8));
  return `${time}  ${toLine(queue).padEnd(8)} ${toLine(className ?? "(not a job)").padEnd(14)} ${text}`;
}

function formatOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "ok":
      return styleText("green", "done  ");
    case "discarded":
      return `${styleText("green", "discarded")}${outcome.reason === undefined ? "" : `: ${firstLine(outcome.reason)}`}`;
    case "failed":
      return `${styleText("red", "failed")}  ${formatFailure(outcome.failure)}`;
    case "dropped":
      return `${styleText("red", "failed, dropped")}  ${formatFailure(outcome.failure)}`;
    case "retrying":
      return `${styleText("yellow", `failed, again in ${formatDuration(outcome.afterMs)}`)}  ${formatFailure(outcome.failure)}`;
    case "postponed":
      return styleText("yellow", `again in ${formatDuration(outcome.afterMs)}`);
    case "detached":
      return styleText("yellow", `handed on, back in ${formatDuration(outcome.afterMs)} if not acknowledged`);
    case "released":
      return styleText("yellow", "back in its queue");
    case "requeued":
      return styleText("yellow", "at the end of its queue");
    default:
      return outcome satisfies never;
  }
}

function formatFailure({ exception, message }: Failure): string {
  return `${toLine(exception)}: ${firstLine(message)}`;
}

function firstLine(text: string): string {
  return toLine(text.split("\n", 1)[0] ?? "");
}
