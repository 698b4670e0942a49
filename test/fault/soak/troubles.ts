import type { HostEvent } from "../harness/drain-host.ts";
import type { RunLine } from "../harness/run-log.ts";

/**
 * Why a run of a job may be followed by another.
 *
 * - `kill`: its process was killed before it heard that the job's end was taken in
 * - `freeze`: its process was frozen for long while it held the job
 * - `thaw`: its process began it after a freeze, having claimed it before
 * - `machine`: the machine gave its process, or the harness, no time for long
 */
export const CAUSES = ["kill", "freeze", "thaw", "machine"] as const;
export type Cause = (typeof CAUSES)[number];

/** What befell a process, and when. */
export interface Trouble {
  readonly cause: Cause;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A freeze of less than this share of the lease is survived: it is a reason for nothing. */
const HARMLESS_SHARE = 1 / 3;

/** What the harness did to each process, and what the machine did. A standstill of the harness itself befalls all. */
export function troublesOf(
  events: readonly HostEvent[],
  lines: readonly RunLine[],
  leaseMs: number,
): ReadonlyMap<string, readonly Trouble[]> {
  const troubles = new Map<string, Trouble[]>();
  const frozenAt = new Map<string, number>();
  const add = (name: string, trouble: Trouble): void => {
    const of = troubles.get(name);
    if (of) of.push(trouble);
    else troubles.set(name, [trouble]);
  };
  const endFreeze = (name: string, toMs: number, isThawed: boolean): void => {
    const fromMs = frozenAt.get(name);
    frozenAt.delete(name);
    if (fromMs === undefined || toMs - fromMs < leaseMs * HARMLESS_SHARE) return;
    add(name, { cause: "freeze", fromMs, toMs });
    if (isThawed) add(name, { cause: "thaw", fromMs, toMs });
  };
  for (const { kind, process, atMs } of events) {
    if (kind === "frozen") frozenAt.set(process, atMs);
    if (kind === "thawed") endFreeze(process, atMs, true);
    if (kind === "killed") {
      endFreeze(process, atMs, false);
      add(process, { cause: "kill", fromMs: atMs, toMs: atMs });
    }
  }
  const names = new Set(events.map(({ process }) => process));
  for (const { phase, process, note } of lines) {
    if (phase !== "standstill") continue;
    const [fromMs, toMs] = note.split(" ").map(Number) as [number, number];
    const isOurs = (troubles.get(process) ?? []).some((own) => own.fromMs <= toMs && fromMs <= own.toMs);
    if (isOurs || toMs - fromMs < leaseMs * HARMLESS_SHARE) continue;
    for (const name of names.has(process) ? [process] : names) add(name, { cause: "machine", fromMs, toMs });
  }
  return troubles;
}
