import { UsageError } from "../../core/errors.ts";
import { pauseClass as pauseClassScript } from "../generated/pause-class.generated.ts";
import { isEverythingPaused, readPausedClasses } from "../paused.ts";
import type { AdminContext } from "./admin-context.ts";
import { checkGiven, checkNames, checkText } from "./page.ts";

/** What to pause: a queue, a class, or everything. */
export interface PauseTarget {
  readonly queue?: string;
  readonly class?: string;
}

/** What is paused now. */
export interface Paused {
  /** Ruby's `pause-all-workers`. */
  readonly everything: boolean;
  /** Of the queues that somebody has put jobs into. */
  readonly queues: readonly string[];
  readonly classes: readonly string[];
}

/** As resque-pause writes it. */
const PAUSED = "true";

/**
 * Lets no more jobs be taken. What runs goes on. Everything and a queue: by the keys of Ruby Resque and resque-pause, so for their
 * workers, too; a class: for Airlift's drains alone.
 */
export async function pause(context: AdminContext, target: PauseTarget = {}): Promise<void> {
  const { client, keys } = context;
  const { queue, class: className } = checkTarget("pause", target);
  if (className !== undefined) await changeClass(context, "pause", className);
  else await client.command(["SET", queue === undefined ? keys.pauseAll : keys.queuePause(queue), PAUSED]);
}

/** Ends a pause; only the same one: a queue that is paused stays so when everything is resumed. */
export async function resume(context: AdminContext, target: PauseTarget = {}): Promise<void> {
  const { client, keys } = context;
  const { queue, class: className } = checkTarget("resume", target);
  if (className !== undefined) await changeClass(context, "resume", className);
  else await client.command(["DEL", queue === undefined ? keys.pauseAll : keys.queuePause(queue)]);
}

/** Shows what is paused. */
export async function listPaused({ client, keys }: AdminContext): Promise<Paused> {
  const [names, [all, classes]] = (await client.pipeline([
    ["SMEMBERS", keys.queues],
    ["MGET", keys.pauseAll, keys.pausedClasses],
  ])) as [string[], [string | null, string | null]];
  names.sort();
  const pauses = names.length > 0 ? await client.command(["MGET", ...names.map(keys.queuePause)]) : [];
  return {
    everything: isEverythingPaused(all),
    queues: names.filter((_, index) => (pauses as (string | null)[])[index] !== null),
    classes: readPausedClasses(classes),
  };
}

async function changeClass(
  { client, keys }: AdminContext,
  change: "pause" | "resume",
  className: string,
): Promise<void> {
  await client.script({ script: pauseClassScript, keys: [keys.pausedClasses], args: [change, className] });
}

function checkTarget(what: string, target: PauseTarget): PauseTarget {
  checkNames(what, target, ["queue", "class"]);
  checkGiven(what, target, ["queue", "class"]);
  for (const name of ["queue", "class"] as const) if (target[name] !== undefined) checkText(what, name, target[name]);
  if (target.queue !== undefined && target.class !== undefined) {
    throw new UsageError(`${what}: expected a queue or a class, got both`);
  }
  return target;
}
