import type { Command } from "commander";
import { addListCommand, addPageOptions, addShowOptions, parseArgs } from "./admin-options.ts";
import type { QueueClearOptions, QueuePageOptions, QueueRemoveOptions } from "./run-queues.ts";

const HELP_AFTER = `
Exit status: 0 done, 1 failed or not found, 2 wrong usage.

Examples:
  airlift queues
  airlift queues peek mail --limit 5
  airlift queues clear mail --class SendEmail --args '["ada@example.com"]'
  airlift queues clear mail --all
  airlift queues remove mail
`;

/** `airlift queues`: the queues and the jobs that wait in them. */
export function addQueuesCommand(program: Command): void {
  const queues = program
    .command("queues")
    .description("list queues, look at their jobs, remove them")
    .addHelpText("after", HELP_AFTER);

  const list = addListCommand(queues, "show the queues with their sizes");
  addShowOptions(addPageOptions(list)).action(async (_: undefined, options: QueuePageOptions) => {
    const { runQueueList } = await import("./run-queues.ts");
    await runQueueList(options);
  });

  const peek = queues.command("peek").description("show the jobs of a queue, the next one first").argument("<queue>");
  addShowOptions(addPageOptions(peek)).action(async (queue: string, options: QueuePageOptions) => {
    const { runQueuePeek } = await import("./run-queues.ts");
    await runQueuePeek(queue, options);
  });

  const clear = queues
    .command("clear")
    .description("remove jobs from a queue")
    .argument("<queue>")
    .argument("[ids...]", "which")
    .option("--class <name>", "those of this class")
    .option("--args <json>", "with --class: those with exactly these arguments", parseArgs)
    .option("--all", "all of them");
  addShowOptions(clear).action(async (queue: string, ids: string[], options: QueueClearOptions) => {
    const { runQueueClear } = await import("./run-queues.ts");
    await runQueueClear(queue, ids, options);
  });

  const remove = queues
    .command("remove")
    .description("remove a queue that is empty")
    .argument("<queue>")
    .option("--all", "also one that is not, with all its jobs");
  addShowOptions(remove).action(async (queue: string, options: QueueRemoveOptions) => {
    const { runQueueRemove } = await import("./run-queues.ts");
    await runQueueRemove(queue, options);
  });
}
