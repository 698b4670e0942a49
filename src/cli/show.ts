import type { Airlift } from "../airlift.ts";
import { stringifyAnswer } from "../http/stringify-answer.ts";
import { openRedis } from "./open-redis.ts";
import type { RedisOptions } from "./redis-options.ts";
import { toLine, toLines, toSafeJson } from "./terminal-text.ts";

/** Options of the commands that look at what is in Redis, or change it. */
export interface ShowOptions extends RedisOptions {
  readonly json?: true;
}

/** Does one thing on a Redis, and prints what came of it, as JSON or as text. */
export async function show<Result>(
  options: ShowOptions,
  work: (airlift: Airlift) => Promise<Result>,
  format: (result: Result) => string,
  open: () => Promise<Airlift> = () => openRedis(options),
): Promise<Result> {
  const airlift = await open();
  try {
    const result = await work(airlift);
    print(options.json ? toSafeJson(stringifyAnswer(result)) : toLines(format(result)));
    return result;
  } finally {
    await airlift.close();
  }
}

/** Writes lines that are fit for a terminal to standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Tells what could not be found: on the side, and by the exit status. */
export function reportMissing(what: string, missing: readonly string[]): void {
  if (missing.length === 0) return;
  process.stderr.write(`airlift: not found: ${what} ${toLine(missing.join(", "))}\n`);
  process.exitCode = 1;
}
