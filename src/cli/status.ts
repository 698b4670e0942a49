import type { Command } from "commander";
import { addRedisOptions } from "./redis-options.ts";
import type { ShowOptions } from "./show.ts";

const HELP_AFTER = `
Examples:
  airlift status --redis redis://127.0.0.1:6379
  airlift status --json
`;

/** `airlift status`: queues, workers and counters. */
export function addStatusCommand(program: Command): void {
  const command = program.command("status").description("show the queues, the workers and the counters");
  addRedisOptions(command)
    .option("--json", "print it as JSON")
    .addHelpText("after", HELP_AFTER)
    .action(async (options: ShowOptions) => {
      const { runStatus } = await import("./run-status.ts");
      await runStatus(options);
    });
}
