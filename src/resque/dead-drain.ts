import type { DeadDrain } from "../core/store.ts";
import type { RedisReply } from "./client.ts";
import { type DrainDescription, parseDescription } from "./drain-identity.ts";
import { readScore } from "./score.ts";

/** A drain whose lease has ended, as it was read. */
export interface DeadRedisDrain extends DeadDrain {
  readonly member: string;
  readonly description: DrainDescription;
  /** When its lease ended, by Redis' clock, as text. */
  readonly leaseEnd: string;
}

/** Reads `ZRANGE airlift:drains … WITHSCORES`, keeping those whose lease has ended. */
export function readDeadDrains(reply: RedisReply, redisNowMs: number): DeadRedisDrain[] {
  const flat = reply as string[];
  const dead: DeadRedisDrain[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const member = flat[i] as string;
    const leaseEnd = String(flat[i + 1]);
    const description = parseDescription(member);
    if (description && readScore(leaseEnd) < redisNowMs)
      dead.push({ drainId: description.id, member, description, leaseEnd });
  }
  return dead;
}
