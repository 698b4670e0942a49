import type { Command } from "commander";
import { addListCommand, addPageOptions, addShowOptions, parseArgs } from "./admin-options.ts";
import { parseDelay, parseTime } from "./option-parsers.ts";
import type { DelayedChangeOptions, DelayedMoveOptions } from "./run-delayed.ts";
import type { QueuePageOptions } from "./run-queues.ts";

const HELP_AFTER = `
Jobs that resque-scheduler, node-resque or Airlift have delayed.

Exit status: 0 done, 1 failed or not found, 2 wrong usage.

Examples:
  airlift delayed
  airlift delayed cancel 1795206569-3f2a9c1b7d2e
  airlift delayed cancel --class Remind --args '[17]'
  airlift delayed reschedule --class Remind --to "2026-11-20 18:00"
`;

/** `airlift delayed`: the jobs that are to run later. */
export function addDelayedCommand(program: Command): void {
  const delayed = program
    .command("delayed")
    .description("list, cancel and reschedule delayed jobs")
    .addHelpText("after", HELP_AFTER);

  const list = addListCommand(delayed, "show delayed jobs, the next one first");
  addShowOptions(addPageOptions(list)).action(async (_: undefined, options: QueuePageOptions) => {
    const { runDelayedList } = await import("./run-delayed.ts");
    await runDelayedList(options);
  });

  const cancel = addSelection(delayed.command("cancel").description("remove delayed jobs"));
  addShowOptions(cancel).action(async (ids: string[], options: DelayedChangeOptions) => {
    const { runDelayedCancel } = await import("./run-delayed.ts");
    await runDelayedCancel(ids, options);
  });

  const move = addSelection(delayed.command("reschedule").description("move delayed jobs to another time"))
    .option("--to <time>", "to 2026-11-20T18:00:00Z, or in this machine's time", parseTime)
    .option("--in <duration>", "to so long from now: 30s, 5m, 7d", parseDelay);
  addShowOptions(move).action(async (ids: string[], options: DelayedMoveOptions) => {
    const { runDelayedReschedule } = await import("./run-delayed.ts");
    await runDelayedReschedule(ids, options);
  });
}

function addSelection(command: Command): Command {
  return command
    .argument("[ids...]", "which")
    .option("--class <name>", "those of this class")
    .option("--args <json>", "with --class: those with exactly these arguments", parseArgs)
    .option("--queue <name>", "with --class: those of this queue")
    .option("--at <time>", "with --class: those of this time", parseTime);
}
