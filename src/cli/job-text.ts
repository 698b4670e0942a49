import { stringifyAnswer } from "../http/stringify-answer.ts";

const MAX_ARGS_CHARS = 60;

/** `SendEmail("ada@example.com", 5)`, or what is wrong with it. */
export function formatJobText(job: {
  readonly class?: string;
  readonly args?: readonly unknown[];
  readonly problem?: string;
}): string {
  if (job.problem !== undefined) return `(${job.problem})`;
  const args = job.args === undefined ? "…" : job.args.map(stringifyAnswer).join(", ");
  return `${job.class}(${args.length > MAX_ARGS_CHARS ? `${args.slice(0, MAX_ARGS_CHARS)}…` : args})`;
}

/** `2026-11-20 18:50:57Z` */
export function formatTime(ms: number | undefined): string {
  return ms === undefined ? "" : toInstant(ms).replace("T", " ").replace(/\.\d+/, "");
}

/** `2026-11-20T18:50:57.000Z`, or that no calendar has the day. */
export function toInstant(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `(no date: ${ms} ms)` : date.toISOString();
}

/** `3 of 1,204 jobs; for more: --cursor 1154` */
export function formatPage(
  { shown, total, noun }: { readonly shown: number; readonly total?: number; readonly noun: string },
  next: { readonly option: string; readonly value: number | undefined },
): string {
  const plural = (total ?? shown) === 1 ? noun : `${noun}s`;
  const of = total === undefined || total === shown ? "" : ` of ${total.toLocaleString("en-US")}`;
  const more = next.value === undefined ? "" : `; for more: ${next.option} ${next.value}`;
  return `${shown.toLocaleString("en-US")}${of} ${plural}${more}`;
}
