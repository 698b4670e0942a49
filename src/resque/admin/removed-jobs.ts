import type { RedisCommand } from "../client.ts";
import { parsePayload, readOwn } from "../payload.ts";
import { freeLocks, lockOf } from "../unique-lock.ts";
import type { AdminContext } from "./admin-context.ts";

/** The most commands of one request. */
const MAX_REQUEST_COMMANDS = 500;

/**
 * Clears up after jobs that were removed before they ran: frees the unique locks that they hold, and tells whoever asks for their
 * status. Costs nothing for jobs that bear no member of Airlift's own.
 *
 * @param payloads or delayed items, as they were
 */
export async function forgetJobs(
  { client, keys }: AdminContext,
  queue: string,
  payloads: readonly string[],
): Promise<void> {
  const locks = payloads.flatMap((raw) => lockOf(raw, queue, keys) ?? []);
  if (locks.length > 0) await freeLocks(client, locks);
  const statuses = payloads.flatMap((raw): RedisCommand[] => {
    const { id } = readOwn(raw);
    const job = id === undefined ? undefined : parsePayload(raw);
    if (id === undefined || job?.kind !== "job") return [];
    const status = { queue, class: job.class, state: "discarded", reason: "removed before it ran" };
    // Its TTL is known only to who enqueued it.
    return [["SET", keys.job(id), JSON.stringify(status), "XX", "KEEPTTL"]];
  });
  for (let at = 0; at < statuses.length; at += MAX_REQUEST_COMMANDS) {
    await client.pipeline(statuses.slice(at, at + MAX_REQUEST_COMMANDS));
  }
}
