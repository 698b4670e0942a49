import { type Command, Option } from "commander";
import { collectQueues, parseCount } from "./option-parsers.ts";
import { addRedisOptions, type RedisOptions } from "./redis-options.ts";

/** Options of the commands that run an app's jobs. */
export interface AppOptions extends RedisOptions {
  readonly app?: string;
  readonly queues?: readonly string[];
  readonly concurrency?: number;
  readonly unknownClass?: "fail" | "leave" | "requeue";
}

/** Adds the options of {@link AppOptions}. */
export function addAppOptions(command: Command): Command {
  command
    .option(
      "--app <file>",
      "TypeScript or JavaScript module with the jobs (default: airlift.ts, jobs.ts or the same in .js, .mjs)",
    )
    .option(
      "--queues <names>",
      "names, weights (mail=2), patterns (img-*), exclusions (!slow) (default: those that the jobs name, or * if one names none)",
      collectQueues,
    )
    .option("--concurrency <n>", "jobs that run at the same time (default: 25)", parseCount);
  addRedisOptions(command);
  return command.addOption(
    new Option(
      "--unknown-class <what>",
      "what becomes of a job whose class the app does not have (default: fail)",
    ).choices(["fail", "leave", "requeue"]),
  );
}
