import type { Airlift } from "../airlift.ts";
import { stringifyAnswer } from "../http/stringify-answer.ts";
import { openRedis } from "./open-redis.ts";
import type { RedisOptions } from "./redis-options.ts";

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
    process.stdout.write(`${options.json ? stringifyAnswer(result) : format(result)}\n`);
    return result;
  } finally {
    await airlift.close();
  }
}

/** Tells what could not be found: on the side, and by the exit status. */
export function reportMissing(what: string, missing: readonly string[]): void {
  if (missing.length === 0) return;
  process.stderr.write(`airlift: not found: ${what} ${missing.join(", ")}\n`);
  process.exitCode = 1;
}
