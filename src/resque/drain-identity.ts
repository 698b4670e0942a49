import type { Keys } from "./keys.ts";

/** What names a drain's workers: enough for another drain to find every key that a dead one left. */
export interface DrainDescription {
  readonly id: string;
  /** Made for this drain alone: a Ruby worker prunes live workers that bear its own host's name. */
  readonly host: string;
  readonly pid: number;
  /** How many workers the drain registered, one for each slot. */
  readonly slots: number;
  /** The queues part of the worker ids. */
  readonly queues: string;
}

/** The member of `airlift:drains`. The text is compared, so it is written once and carried along. */
export function encodeDescription({ id, host, pid, slots, queues }: DrainDescription): string {
  return JSON.stringify({ id, host, pid, slots, queues });
}

/** An app may run 1,000 jobs at a time, and hold half as many in hand. */
const MAX_SLOTS = 1_500;

/**
 * Reads a member of `airlift:drains`; undefined if it is none that this version understands. Anybody may have written it: the id is where scripts
 * look for it, and there are not more slots than a drain can have.
 */
export function parseDescription(member: string): DrainDescription | undefined {
  try {
    const { id, host, pid, slots, queues } = JSON.parse(member) as Partial<DrainDescription>;
    const isValid =
      [id, host, queues].every((text) => typeof text === "string") &&
      member.startsWith(`{"id":${JSON.stringify(id)},`) &&
      Number.isSafeInteger(pid) &&
      Number.isSafeInteger(slots) &&
      (slots as number) > 0 &&
      (slots as number) <= MAX_SLOTS;
    return isValid ? ({ id, host, pid, slots, queues } as DrainDescription) : undefined;
  } catch {
    return undefined;
  }
}

/** `host:pid-slot:queues`, which Ruby Resque, resque-web, goworker and node-resque can all take apart. */
export function workerId({ host, pid, queues }: DrainDescription, slot: number): string {
  return `${host}:${pid}-${slot}:${queues}`;
}

/** The keys of a drain's workers. Each list is in slot order. */
export interface DrainKeys {
  readonly ids: readonly string[];
  /** `worker:<id>`: what is in the slot. */
  readonly slots: readonly string[];
  /** `worker:<id>:started`. The first is the drain's fence: it stands as long as nobody has recovered or pruned the drain. */
  readonly started: readonly string[];
  /** `stat:processed:<id>` of every slot, then `stat:failed:<id>` of every slot. */
  readonly stats: readonly string[];
}

export function drainKeys(description: DrainDescription, keys: Keys): DrainKeys {
  const ids = Array.from({ length: description.slots }, (_, slot) => workerId(description, slot));
  return {
    ids,
    slots: ids.map(keys.worker),
    started: ids.map(keys.started),
    stats: [...ids.map(keys.processedBy), ...ids.map(keys.failedBy)],
  };
}
