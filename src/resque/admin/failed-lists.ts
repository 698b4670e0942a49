import { UsageError } from "../../core/errors.ts";
import type { AdminContext } from "./admin-context.ts";
import { checkText } from "./page.ts";

/** A list of failures. */
export interface FailedList {
  /** `failed`, or `<queue>_failed`. */
  readonly name: string;
  readonly size: number;
}

const SUFFIX = "_failed";

/** The failed lists: `failed`, and those that Ruby's multi-queue backend keeps for each queue. */
export async function listFailedLists({ client, keys }: AdminContext): Promise<readonly FailedList[]> {
  const names = ((await client.command(["SMEMBERS", keys.failedQueues])) as string[]).filter((name) =>
    name.endsWith(SUFFIX),
  );
  const lists = ["failed", ...names.sort()];
  const sizes = await client.pipeline(lists.map((name) => ["LLEN", keyOf(keys, name)]));
  return lists.map((name, index) => ({ name, size: sizes[index] as number }));
}

/**
 * The key of a failed list.
 *
 * @throws UsageError for a name that is none of theirs: any list could be emptied by it otherwise
 */
export async function failedListKey(
  { client, keys }: AdminContext,
  what: string,
  list: string = "failed",
): Promise<string> {
  checkText(what, "list", list);
  if (list === "failed") return keys.failed;
  if (list.endsWith(SUFFIX) && (await client.command(["SISMEMBER", keys.failedQueues, list])) === 1)
    return keyOf(keys, list);
  throw new UsageError(
    `${what}: list: expected "failed" or one of those in failed_queues, got ${JSON.stringify(list)}`,
  );
}

function keyOf(keys: AdminContext["keys"], list: string): string {
  return list === "failed" ? keys.failed : keys.failedOf(list.slice(0, -SUFFIX.length));
}
