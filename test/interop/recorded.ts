import { readFileSync } from "node:fs";
import type { World } from "../conformance/world.ts";

/** The states of Redis that Ruby's gems have left, by the names of their files: see fixtures/README.md. */
export const RECORDED = [
  "resque-3/payloads",
  "resque-3/working",
  "resque-3/failed",
  "resque-3/failed-queues",
  "resque-scheduler-5/delayed",
  "resque-scheduler-5/schedules",
  "resque-retry-1/retrying",
  "active-job-7/enqueued",
  "active-job-7/retried",
] as const;

export type Recorded = (typeof RECORDED)[number];

/** The commands that make a state again, each part in its bytes. */
export function readRecorded(name: Recorded): readonly (readonly Buffer[])[] {
  const file = readFileSync(new URL(`fixtures/${name}.resp`, import.meta.url));
  let at = 0;
  const header = (type: string): number => {
    const end = file.indexOf("\r\n", at);
    const line = file.toString("latin1", at, end);
    if (!line.startsWith(type)) throw new Error(`${name}: expected ${type} at byte ${at}, got ${JSON.stringify(line)}`);
    at = end + 2;
    return Number(line.slice(1));
  };
  const part = (): Buffer => {
    const bytes = header("$");
    at += bytes + 2;
    return file.subarray(at - bytes - 2, at - 2);
  };
  const commands: Buffer[][] = [];
  while (at < file.length) commands.push(Array.from({ length: header("*") }, part));
  return commands;
}

/** Brings a state into Redis, byte for byte. */
export async function restore(world: World, name: Recorded): Promise<void> {
  await world.send(...readRecorded(name));
}

/** What a command of a state sets a key to: the one value of a string, all of a list or a set, names and values of a hash. */
export function recordedValues(name: Recorded, key: string): readonly string[] {
  const command = readRecorded(name).find((parts) => parts[1]?.toString() === key);
  if (!command) throw new Error(`${name}: no ${key}`);
  return command.slice(2).map((part) => part.toString());
}

/** {@link recordedValues} of the first key that has this form. */
export function recordedKey(name: Recorded, form: RegExp): string {
  const keys = readRecorded(name).map((parts) => String(parts[1]));
  const key = keys.find((each) => form.test(each));
  if (key === undefined) throw new Error(`${name}: no ${form} among ${keys.join(", ")}`);
  return key;
}
