import type { CheckIn } from "../core/checkins.ts";
import type { Notes } from "../core/store.ts";
import type { CallOptions, RedisClient, RedisCommand } from "./client.ts";
import type { Keys } from "./keys.ts";
import { typedMembers } from "./typed-members.ts";

/**
 * The hash goes away when nobody has checked in for a day: a request that arrives after its drain has closed leaves a field that nobody else
 * would remove.
 */
export const CHECKINS_TTL_MS = 86_400_000;

/** Writes the check-ins of some workers. Each bears its claim's token: it is shown as long as the slot does. */
export function checkInCommand(
  keys: Keys,
  checkins: Notes["checkins"],
  { workers, toRedisMs }: { readonly workers: readonly string[]; readonly toRedisMs: (ourMs: number) => number },
): RedisCommand {
  return [
    ...["HSET", keys.checkins],
    ...checkins.flatMap(({ claim, checkin }) => {
      const { atMs, ...told } = checkin;
      return [workers[claim.slot] as string, JSON.stringify({ token: claim.token, at: toRedisMs(atMs), ...told })];
    }),
  ];
}

/** A worker, and the token of the claim that it holds (the member `claim` of its entry). */
export interface ClaimingWorker {
  readonly id: string;
  readonly token: string;
}

/**
 * What workers have told of the jobs that they run, by worker id. One command. A check-in of a worker's earlier job is not among them.
 */
export async function readCheckins(
  client: RedisClient,
  keys: Keys,
  workers: readonly ClaimingWorker[],
  options: CallOptions = {},
): Promise<ReadonlyMap<string, CheckIn>> {
  const found = new Map<string, CheckIn>();
  if (workers.length === 0) return found;
  const texts = (await client.command(["HMGET", keys.checkins, ...workers.map(({ id }) => id)], options)) as (
    | string
    | null
  )[];
  for (const [index, { id, token }] of workers.entries()) {
    const checkin = parseCheckIn(texts[index] ?? null, token);
    if (checkin) found.set(id, checkin);
  }
  return found;
}

const MEMBERS = { token: "string", at: "number", message: "string", done: "number", total: "number" } as const;

function parseCheckIn(text: string | null, ofToken: string): CheckIn | undefined {
  if (text === null) return undefined;
  try {
    const { token, at, ...told } = typedMembers(JSON.parse(text), MEMBERS);
    return token === ofToken && at !== undefined ? { atMs: at, ...told } : undefined;
  } catch {
    return undefined;
  }
}
