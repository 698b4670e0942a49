import type { CallOptions, RedisClient } from "./client.ts";
import { lockValue, readLockValue } from "./encode-unique.ts";
import { type EncodedJob, type EnqueueOutcome, jobCommands, type Place, type UniqueJob } from "./encoded-job.ts";
import { enqueueUnique as enqueueUniqueScript } from "./generated/enqueue-unique.generated.ts";
import type { Keys } from "./keys.ts";
import { readOwn } from "./payload.ts";
import { replaceWaiting } from "./replace-waiting.ts";

type Options = CallOptions & { readonly nowMs: number };

/**
 * Enqueues jobs of which some are unique, in one script: each gets its lock and its place, or neither. Those that may replace a
 * waiting one then do so, one after another.
 */
export async function enqueueUnique(
  client: RedisClient,
  keys: Keys,
  jobs: readonly EncodedJob[],
  options: Options,
): Promise<EnqueueOutcome> {
  const { refused, lengths } = await enqueueOrRefuse(client, keys, jobs, options);
  const dropped = new Set<number>();
  const replaced = new Map<number, Place>();
  for (const index of refused) {
    const job = jobs[index] as UniqueJob;
    const end = job.lock.replaces ? await replaceOrEnqueue(client, keys, job, options) : "dropped";
    if (end === "dropped") dropped.add(index);
    else if (end instanceof Map) for (const [key, length] of end) lengths.set(key, length);
    else replaced.set(index, end);
  }
  return { lengths, dropped, replaced };
}

/** Each attempt that fails means that another job has just won, and its arguments are as new as ours. */
const MAX_ATTEMPTS = 10;

/** @returns where the job replaced another; the queues' lengths if there was none to replace; or that it was dropped */
async function replaceOrEnqueue(
  client: RedisClient,
  keys: Keys,
  job: UniqueJob,
  options: Options,
): Promise<Place | Map<string, number> | "dropped"> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const held = (await client.command(["GET", job.lock.key], options)) as string | null;
    const end = held === null ? "gone" : await replaceWaiting(client, keys, { job, held }, options);
    if (typeof end === "object") await writeReplaced(client, keys, { job, held: held ?? "", place: end }, options);
    if (typeof end === "object" || end === "dropped") return end;
    if (end === "changed") continue;
    const { refused, lengths } = await enqueueOrRefuse(client, keys, [job], options, held ?? "");
    if (refused.length === 0) return lengths;
  }
  return "dropped";
}

/** The statuses of both. Not in the same step: a crash here leaves the one unwritten, and the other to its TTL. */
async function writeReplaced(
  client: RedisClient,
  keys: Keys,
  { job, held, place }: { readonly job: UniqueJob; readonly held: string; readonly place: Place },
  options: Options,
): Promise<void> {
  const { payload = "" } = readLockValue(held);
  if (!job.status && readOwn(payload).id === undefined) return;
  const { replacedCommand } = await import("./job-status.ts");
  const commands = [job.status?.write(place.atSeconds), replacedCommand(keys, payload, job.queue)];
  await client.pipeline(
    commands.filter((command) => command !== undefined),
    options,
  );
}

/** @param held the value under which the jobs take their lock over */
async function enqueueOrRefuse(
  client: RedisClient,
  keys: Keys,
  jobs: readonly EncodedJob[],
  { nowMs, ...options }: Options,
  held = "",
): Promise<{ readonly refused: readonly number[]; readonly lengths: Map<string, number> }> {
  const numbers = new Map<string, number>();
  const numberOf = (key: string): number => {
    const number = numbers.get(key) ?? numbers.size + 1;
    numbers.set(key, number);
    return number;
  };
  const args: (string | number)[] = [];
  for (const job of jobs) {
    if (job.lock) args.push(numberOf(job.lock.key), held, ...lockValue(job as UniqueJob, job.atSeconds, nowMs));
    else args.push(0, "", "", 0);
    const commands = jobCommands(keys, job);
    args.push(commands.length);
    for (const [name, key, ...values] of commands) {
      args.push(name as string, numberOf(key as string), values.length, ...values);
    }
  }
  const names = [...numbers.keys()];
  const reply = await client.script({ script: enqueueUniqueScript, keys: names, args }, options);
  const [commands, refused, pushed] = reply as [number, number[], number[]];
  if (options.usage) options.usage.commands += commands - 1;
  const lengths = new Map<string, number>();
  for (let i = 0; i < pushed.length; i += 2) {
    lengths.set(names[(pushed[i] as number) - 1] as string, pushed[i + 1] as number);
  }
  return { refused: refused.map((number) => number - 1), lengths };
}
