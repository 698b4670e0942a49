import { type Command, Option } from "commander";
import { addListCommand, addShowOptions, parseIndex, parseLimit, parseSince } from "./admin-options.ts";
import type { FailedChangeOptions, FailedListOptions, FailedRetryOptions } from "./run-failed.ts";
import type { ShowOptions } from "./show.ts";

const HELP_AFTER = `
A job is named by the id that the list shows, or at least its first 12 digits. It changes with the entry: what somebody else has
retried or removed meanwhile is not found, and left alone. By a filter or by --all, retry passes over jobs that were retried before,
unless --retried is given.

Exit status: 0 done, 1 failed or not found, 2 wrong usage.

Examples:
  airlift failed
  airlift failed list --class SendEmail --since 2h
  airlift failed retry 3f2a9c1b7d2e
  airlift failed retry --error "execution expired" --queue mail
  airlift failed remove --until 2026-11-01T00:00:00Z
  airlift failed remove --all
`;

/** `airlift failed`: list, retry and remove failed jobs. */
export function addFailedCommand(program: Command): void {
  const failed = program
    .command("failed")
    .description("list, retry and remove failed jobs")
    .addHelpText("after", HELP_AFTER);

  const list = addListCommand(failed, "show failed jobs, the newest first");
  addFilterOptions(list)
    .option("--oldest", "show the oldest first")
    .option("--cursor <n>", "go on where a page ended", parseIndex)
    .option("--limit <n>", "show at most so many, up to 1000 (default: 50)", parseLimit);
  addShowOptions(list).action(async (_: undefined, options: FailedListOptions) => {
    const { runFailedList } = await import("./run-failed.ts");
    await runFailedList(options);
  });

  addShowOptions(failed.command("lists").description("show the lists of failed jobs")).action(
    async (options: ShowOptions) => {
      const { runFailedLists } = await import("./run-failed.ts");
      await runFailedLists(options);
    },
  );

  const retry = failed
    .command("retry")
    .description("put failed jobs back into their queues")
    .argument("[ids...]", "which");
  addFilterOptions(retry)
    .option("--all", "all that were not retried before")
    .option("--to <queue>", "put them into this queue instead");
  addShowOptions(retry).action(async (ids: string[], options: FailedRetryOptions) => {
    const { runFailedRetry } = await import("./run-failed.ts");
    await runFailedRetry(ids, options);
  });

  const remove = failed.command("remove").description("remove failed jobs from the list").argument("[ids...]", "which");
  addFilterOptions(remove).option("--all", "all of them");
  addShowOptions(remove).action(async (ids: string[], options: FailedChangeOptions) => {
    const { runFailedRemove } = await import("./run-failed.ts");
    await runFailedRemove(ids, options);
  });
}

function addFilterOptions(command: Command): Command {
  return command
    .option("--list <name>", "failed, or <queue>_failed (default: failed)")
    .option("--class <name>", "of this class")
    .option("--queue <name>", "of this queue")
    .option("--error <text>", "with this text in the exception or its message")
    .option("--since <time>", "that failed since then: 2026-11-20T18:00:00Z, or 2h", parseSince)
    .option("--until <time>", "that failed before then", parseSince)
    .option("--retried", "that were retried from the list before")
    .addOption(new Option("--no-retried", "that were not"));
}
