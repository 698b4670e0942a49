import type { Command } from "commander";
import { addAppOptions } from "./app-options.ts";
import { parseCount, parseDuration } from "./option-parsers.ts";
import type { DrainCommandOptions } from "./run-drain.ts";

const HELP_AFTER = `
Running jobs are let end at QUIT, TERM or INT; what has not ended after 8 s (graceMs of the app) goes back to its queue. A second signal ends at once:
the jobs then run again when the lease is over.

Examples:
  airlift drain --app jobs.ts --redis redis://127.0.0.1:6379
  airlift drain --app jobs.ts --queues critical=4,mail=2 --concurrency 50
  airlift drain --app jobs.ts --queues 'img-*' --for 30s --json
  airlift drain --app jobs.ts --unknown-class leave      beside Ruby workers, which run the other classes
`;

/** `airlift drain`: one drain, then the report. */
export function addDrainCommand(program: Command): void {
  const command = program.command("drain").description("work the queues until they are empty, then print a report");
  addAppOptions(command)
    .option("--max-jobs <n>", "end after so many jobs", parseCount)
    .option("--for <duration>", "end after this time, such as 30s or 5m", parseDuration)
    .option("--json", "print the report as JSON")
    .addHelpText("after", HELP_AFTER)
    .action(async (options: DrainCommandOptions) => {
      const { runDrain } = await import("./run-drain.ts");
      await runDrain(options);
    });
}
