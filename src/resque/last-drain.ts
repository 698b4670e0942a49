import type { DrainEnd } from "../core/peers.ts";
import type { StopReason } from "../core/report.ts";
import type { CallOptions, RedisClient, RedisCommand } from "./client.ts";
import type { Keys } from "./keys.ts";
import { typedMembers } from "./typed-members.ts";

/** How the last drain ended, of those that are recorded. */
export interface LastDrain {
  /** In ms since the epoch, by the clock of its host. */
  readonly endedMs: number;
  /** `airlift-<platform>-<drain>` */
  readonly host: string;
  readonly stopped: StopReason;
  readonly claimed: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly remaining: number;
  readonly durationMs: number;
}

/** Nobody asks after longer silence. */
const KEPT_MS = 2_592_000_000;

export interface RecordDrainOptions extends CallOptions {
  readonly end: DrainEnd;
  readonly host: string;
  readonly nowMs: number;
  /** Asks for the drain before, which needs Redis 6.2. */
  readonly asksPrevious: boolean;
}

/**
 * Writes down that a drain has ended. One command.
 *
 * @returns the one before, if it is asked for and there is one
 */
export async function recordDrain(
  client: RedisClient,
  keys: Keys,
  { end, host, nowMs, asksPrevious, ...options }: RecordDrainOptions,
): Promise<LastDrain | undefined> {
  const { stopped, claimed, succeeded, failed, remaining, durationMs } = end;
  const last: LastDrain = { endedMs: nowMs, host, stopped, claimed, succeeded, failed, remaining, durationMs };
  const command: RedisCommand = ["SET", keys.lastDrain, JSON.stringify(last), "PX", KEPT_MS];
  const reply = await client.command(asksPrevious ? [...command, "GET"] : command, options);
  return asksPrevious ? parseLastDrain(reply as string | null) : undefined;
}

/** Reads the record. One command. */
export async function readLastDrain(
  client: RedisClient,
  keys: Keys,
  options?: CallOptions,
): Promise<LastDrain | undefined> {
  return parseLastDrain((await client.command(["GET", keys.lastDrain], options)) as string | null);
}

const MEMBERS = {
  ...({ endedMs: "number", host: "string", stopped: "string", claimed: "number" } as const),
  ...({ succeeded: "number", failed: "number", remaining: "number", durationMs: "number" } as const),
};

const UNKNOWN = { host: "", stopped: "", claimed: 0, succeeded: 0, failed: 0, remaining: 0, durationMs: 0 };

/** Undefined if nothing is recorded, or not any more. */
export function parseLastDrain(text: string | null): LastDrain | undefined {
  try {
    const last = { ...UNKNOWN, ...typedMembers(JSON.parse(text ?? "null"), MEMBERS) };
    // A version to come may have more reasons to stop.
    return "endedMs" in last ? (last as LastDrain) : undefined;
  } catch {
    // What stands under the key is none of ours.
    return undefined;
  }
}
