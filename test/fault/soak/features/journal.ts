import { parseDescription } from "../../../../src/resque/drain-identity.ts";
import { createKeys } from "../../../../src/resque/keys.ts";
import { type OwnMember, readOwn } from "../../../../src/resque/payload.ts";
import { keyOf } from "./job-key.ts";
import type { SeenCall, SeenCommand } from "./witnessed-calls.ts";

/**
 * How a job came to where it is.
 *
 * - `enqueued`, `delayed`, `ticked`: by its producer, to its queue's tail or for later; by a schedule
 * - `promoted`: its time had come
 * - `claimed`: into a drain's slot
 * - `released`: back to its queue, by its own drain; `recovered`: by another, as its drain's lease had ended
 * - `waiting`: for its next attempt, or for a later time; `detached`: until its receiver acknowledges it
 * - `failed`: into a failed list; `ended`: out of its slot, or acknowledged, and nowhere else; `replaced`: a newer one has taken its place
 */
export type MoveKind =
  | ("enqueued" | "delayed" | "ticked" | "promoted" | "claimed" | "released" | "recovered")
  | ("waiting" | "detached" | "failed" | "ended" | "replaced");

/** One move of a job, as Redis carried it out. */
export interface Move {
  /** By Redis' clock. */
  readonly atMs: number;
  readonly kind: MoveKind;
  readonly own: OwnMember;
  /** Of one that is claimed: whose slot it is in. */
  readonly drainId?: string;
  /** Of one that is claimed: what the script read from Redis' clock, if it did; the claim itself it writes last. */
  readonly readMs?: number;
  /** Of one that is delayed, waiting or detached. */
  readonly dueMs?: number;
}

/** What Redis knew of a drain. */
export interface SeenDrain {
  readonly pid: number;
  /** Its lease's ends, each from the instant at which it was written. */
  readonly leases: { readonly atMs: number; readonly endMs: number }[];
  gone: { readonly atMs: number; readonly by: "closed" | "recovered" } | undefined;
}

/** One change of a schedule's state, with the jobs that were enqueued in the same step. */
export interface SeenTick {
  readonly atMs: number;
  readonly schedule: string;
  readonly lastMs: number;
  /** Names of jobs, of all schedules that this step handled. */
  readonly jobs: readonly string[];
}

/** Everything that happened to jobs, from outside. */
export interface Journal {
  readonly moves: ReadonlyMap<string, readonly Move[]>;
  readonly drains: ReadonlyMap<string, SeenDrain>;
  readonly ticks: readonly SeenTick[];
}

/** Of a job that lists or sorted sets took, by the script that did it. */
const PUSHED: Readonly<Record<string, MoveKind>> = {
  "recover-drain": "recovered",
  "promote-delayed": "promoted",
  "promote-retries": "promoted",
  "tick-schedules": "ticked",
  exchange: "released",
  "close-drain": "released",
  "ack-job": "released",
};
/** Where what leaves a slot may go. */
const LEAVES_SLOT: ReadonlySet<MoveKind> = new Set(["released", "recovered", "waiting", "detached", "failed"]);
const ENTRY_HEAD = /^\{"claim":"([^".]+)\.[^"]*","queue":"(?:[^"\\]|\\.)*","run_at":"[^"]*","payload":/;
const ENTRY_PAYLOAD = /,"payload":(\{.*\})\}$/s;
const FAILED_PAYLOAD = /"payload":(\{.*\}),"exception":/s;

/** Follows each job from call to call. */
export async function readJournal(calls: AsyncIterable<SeenCall>, namespace = "resque"): Promise<Journal> {
  const keys = createKeys(namespace);
  const [queuePrefix, delayedPrefix] = [keys.queue(""), keys.delayed("")];
  const moves = new Map<string, Move[]>();
  const drains = new Map<string, SeenDrain>();
  const ticks: SeenTick[] = [];
  const slots = new Map<string, string>();
  /** How many slots hold each job. */
  const held = new Map<string, number>();
  /** Of the call that is read: the jobs that it has put somewhere, those that it has taken from slots or receivers, and schedules' new states. */
  let placed: { readonly key: string; readonly kind: MoveKind }[] = [];
  let left: string[] = [];
  let states: { name: string; text: string }[] = [];
  let found: string | undefined;
  let readMs: number | undefined;

  const move = (payload: string | undefined, more: Omit<Move, "own">): void => {
    const key = payload === undefined ? undefined : keyOf(payload);
    if (payload === undefined || key === undefined) return;
    placed.push({ key, kind: more.kind });
    const list = moves.get(key) ?? [];
    list.push({ ...more, own: readOwn(payload) });
    moves.set(key, list);
  };
  const empty = (slot: string): void => {
    const key = slots.get(slot);
    if (key === undefined) return;
    held.set(key, (held.get(key) ?? 1) - 1);
    if (held.get(key) === 0) held.delete(key);
    left.push(key);
    slots.delete(slot);
  };

  const push = ({ atMs, args: [list = "", ...values] }: SeenCommand, script: string | undefined): void => {
    for (const value of values) {
      if (list.startsWith(queuePrefix)) {
        const kind = PUSHED[script ?? ""] ?? "enqueued";
        // What may not start is put back where it was: it has gone nowhere.
        const isPutBack = script === "exchange" && !held.has(keyOf(value) ?? "");
        if (!isPutBack) move(value, { atMs, kind });
      } else if (list.startsWith(delayedPrefix)) {
        move(value, { atMs, kind: "delayed", dueMs: Number(list.slice(delayedPrefix.length)) * 1_000 });
      } else if (list.endsWith("failed")) move(FAILED_PAYLOAD.exec(value)?.[1], { atMs, kind: "failed" });
    }
  };
  const claim = ({ atMs, args }: SeenCommand): void => {
    for (let i = 0; i + 1 < args.length; i += 2) {
      const [slot = "", entry = ""] = args.slice(i, i + 2);
      const [head, drainId] = ENTRY_HEAD.exec(entry) ?? [];
      if (head === undefined || drainId === undefined) continue;
      empty(slot);
      const payload = entry.slice(head.length, -1);
      const key = keyOf(payload);
      if (key !== undefined) {
        slots.set(slot, key);
        held.set(key, (held.get(key) ?? 0) + 1);
      }
      move(payload, { atMs, kind: "claimed", drainId, ...(readMs !== undefined && { readMs }) });
    }
  };
  const add = ({ atMs, args: [key, ...pairs] }: SeenCommand): void => {
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [score = "", member = ""] = pairs.slice(i, i + 2);
      if (key === keys.retries) {
        const kind = member.includes('"detached":true') ? "detached" : "waiting";
        move(ENTRY_PAYLOAD.exec(member)?.[1], { atMs, kind, dueMs: Number(score) });
      }
      const drain = key === keys.drains ? parseDescription(member) : undefined;
      if (!drain) continue;
      const known = drains.get(drain.id) ?? { pid: drain.pid, leases: [], gone: undefined };
      known.leases.push({ atMs, endMs: Number(score) });
      drains.set(drain.id, known);
    }
  };
  const remove = ({ atMs, args: [key, ...members] }: SeenCommand, script: string | undefined): void => {
    for (const member of members) {
      if (key === keys.retries && script === "ack-job") {
        const job = keyOf(ENTRY_PAYLOAD.exec(member)?.[1] ?? "");
        if (job !== undefined) left.push(job);
      }
      const drain = key === keys.drains ? drains.get(parseDescription(member)?.id ?? "") : undefined;
      if (drain) drain.gone ??= { atMs, by: script === "close-drain" ? "closed" : "recovered" };
    }
  };
  const read = (command: SeenCommand, script: string | undefined): void => {
    const { name, args } = command;
    if (name === "RPUSH" || name === "LPUSH") push(command, script);
    else if (name === "MSET") claim(command);
    else if (name === "DEL") for (const key of args) empty(key);
    else if (name === "ZADD") add(command);
    else if (name === "ZREM") remove(command, script);
    else if (name === "TIME") readMs = command.atMs;
    else if (name === "LPOS") found = args[1];
    else if (name === "LSET") {
      move(found, { atMs: command.atMs, kind: "replaced" });
      move(args[2], { atMs: command.atMs, kind: "enqueued" });
    } else if (name === "HSET" && args[0] === keys.cron) {
      for (let i = 1; i + 1 < args.length; i += 2) states.push({ name: String(args[i]), text: String(args[i + 1]) });
    }
  };

  for await (const { atMs, script, commands } of calls) {
    placed = [];
    left = [];
    states = [];
    readMs = undefined;
    for (const command of commands) read(command, script);
    for (const key of left) {
      const at = placed.findIndex((each) => each.key === key && LEAVES_SLOT.has(each.kind));
      if (at >= 0) placed.splice(at, 1);
      else moves.get(key)?.push({ atMs, kind: "ended", own: moves.get(key)?.at(-1)?.own ?? {} });
    }
    for (const { name, text } of states) {
      ticks.push({ atMs, schedule: name, lastMs: JSON.parse(text).last, jobs: placed.map(({ key }) => key) });
    }
  }
  return { moves, drains, ticks };
}
