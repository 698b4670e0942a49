import type { Command } from "commander";
import { addListCommand, addPageOptions, addShowOptions } from "./admin-options.ts";
import type { QueuePageOptions } from "./run-queues.ts";
import type { RetryChangeOptions } from "./run-retries.ts";

const HELP_AFTER = `
Jobs that have failed and wait for their next attempt, or that their handler has put off.

Exit status: 0 done, 1 failed or not found, 2 wrong usage.

Examples:
  airlift retries
  airlift retries run --class SendEmail
  airlift retries remove --all
`;

/** `airlift retries`: the jobs that wait for their next attempt. */
export function addRetriesCommand(program: Command): void {
  const retries = program
    .command("retries")
    .description("list, run and remove jobs that wait for their next attempt")
    .addHelpText("after", HELP_AFTER);

  const list = addListCommand(retries, "show waiting jobs, the next one first");
  addShowOptions(addPageOptions(list)).action(async (_: undefined, options: QueuePageOptions) => {
    const { runRetryList } = await import("./run-retries.ts");
    await runRetryList(options);
  });

  for (const [change, description] of [
    ["run", "make waiting jobs due now: the next drain takes them to their queues"],
    ["remove", "remove waiting jobs"],
  ] as const) {
    const command = retries
      .command(change)
      .description(description)
      .argument("[ids...]", "which")
      .option("--class <name>", "those of this class")
      .option("--queue <name>", "those of this queue")
      .option("--all", "all of them");
    addShowOptions(command).action(async (ids: string[], options: RetryChangeOptions) => {
      const { runRetryChange } = await import("./run-retries.ts");
      await runRetryChange(change, ids, options);
    });
  }
}
