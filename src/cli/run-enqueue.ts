import { statSync } from "node:fs";
import type { Airlift, Enqueued } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import { parseExactJson } from "../http/parse-json.ts";
import { enqueueFile } from "./enqueue-file.ts";
import { openRedis } from "./open-redis.ts";
import { createFileBar } from "./progress.ts";
import type { RedisOptions } from "./redis-options.ts";
import { formatCount } from "./report-text.ts";
import { print } from "./show.ts";
import { toLine, toSafeJson } from "./terminal-text.ts";

/** Options of `airlift enqueue`. */
export interface EnqueueOptions extends RedisOptions {
  readonly queue?: string;
  readonly file?: string;
  /** When the job may run, in ms since the epoch. */
  readonly at?: number;
  /** In how many ms the job may run. */
  readonly in?: number;
  readonly json?: true;
}

/** Enqueues one job from the arguments, or those of a file. */
export async function runEnqueue(
  className: string | undefined,
  args: readonly string[],
  options: EnqueueOptions,
): Promise<void> {
  checkUsage(className, options);
  const airlift = await openRedis(options);
  try {
    const result = await (className === undefined
      ? runFile(airlift, options)
      : runOne(airlift, className, args, options));
    print(options.json ? toSafeJson(JSON.stringify(result.value)) : toLine(result.text));
  } finally {
    await airlift.close();
  }
}

interface Result {
  readonly value: object;
  readonly text: string;
}

async function runOne(
  airlift: Airlift,
  className: string,
  args: readonly string[],
  { queue = "", at, in: inMs }: EnqueueOptions,
): Promise<Result> {
  const when = { ...(at !== undefined && { at }), ...(inMs !== undefined && { inMs }) };
  const value = await airlift.enqueue({ queue, class: className, args: args.map(readArgument), ...when });
  return { value, text: describe(className, value) };
}

function describe(className: string, value: Enqueued): string {
  switch (value.kind) {
    case "queued":
      return `enqueued ${className} to ${value.queue}; ${formatCount(value.length, "job")} in it`;
    case "delayed":
      return `${className} goes to ${value.queue} at ${new Date(value.at).toISOString().replace(".000", "")}`;
    case "replaced":
      return `${className} took the place of one that waits in ${value.queue}`;
    case "dropped":
      return `${className} was not enqueued: ${value.reason === "refused" ? "refused by a hook" : "the same job is there"}`;
    default:
      return value satisfies never;
  }
}

async function runFile(airlift: Airlift, options: EnqueueOptions): Promise<Result> {
  const { file = "-", queue } = options;
  // How long standard input is, nobody knows.
  // A pipe has no size.
  const size = file === "-" || !process.stderr.isTTY ? 0 : (statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  const bar = size === 0 ? undefined : createFileBar(process.stderr, size);
  try {
    const value = await enqueueFile(airlift, file, queue, bar?.update);
    return { value, text: `enqueued ${formatCount(value.enqueued, "job")}` };
  } finally {
    bar?.stop();
  }
}

/** JSON if it is JSON, text otherwise. */
function readArgument(text: string): unknown {
  const parsed = parseExactJson(text);
  return parsed.kind === "value" ? parsed.value : text;
}

function checkUsage(className: string | undefined, options: EnqueueOptions): void {
  if (className === undefined && options.file === undefined) {
    throw new UsageError("enqueue: expected a class and its arguments, or --file");
  }
  if (className !== undefined && options.file !== undefined) {
    throw new UsageError(`enqueue: expected a class or --file, got both (${className} and --file ${options.file})`);
  }
  if (className !== undefined && options.queue === undefined) {
    throw new UsageError(`enqueue: expected --queue, the queue to put ${className} into`);
  }
  if (options.at !== undefined && options.in !== undefined)
    throw new UsageError("enqueue: expected --at or --in, got both");
  if (options.file !== undefined && (options.at ?? options.in) !== undefined) {
    throw new UsageError('enqueue: --at and --in are for one job; a line of a file may have "at" or "in"');
  }
  if (options.queue === "") throw new UsageError('enqueue: expected a queue name, got --queue ""');
}
