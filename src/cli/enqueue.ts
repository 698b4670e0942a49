import type { Command } from "commander";
import { parseDelay, parseTime } from "./option-parsers.ts";
import { addRedisOptions } from "./redis-options.ts";
import type { EnqueueOptions } from "./run-enqueue.ts";

const HELP_AFTER = `
Each argument is read as JSON if it is JSON (5, true, null, [1,2], {"a":1}, "5" with its quotes), and is a text otherwise. Integers of
any size are kept exactly. Put -- before arguments that begin with a dash.

A line of a file is {"class":"Name","args":[…]}, with "queue" if --queue is not given, and with "at":"2026-11-20T18:00:00Z" or "in":"5m" if
it is to run later. The lines before a wrong one are enqueued, it and those after it are not.

Examples:
  airlift enqueue SendEmail ada@example.com "Welcome" --queue mail
  airlift enqueue Add --queue math -- -5 12345678901234567890
  airlift enqueue Remind 17 --queue mail --in 5m
  airlift enqueue Remind 17 --queue mail --at "2026-11-20 18:00"
  airlift enqueue --file jobs.ndjson --queue mail
  generate-jobs | airlift enqueue --file -
`;

/** `airlift enqueue`: one job from the arguments, or many from a file. */
export function addEnqueueCommand(program: Command): void {
  const command = program
    .command("enqueue")
    .description("enqueue a job, or a file of jobs")
    .argument("[class]", "class name of the job")
    .argument("[args...]", "arguments of the job")
    .option("-q, --queue <name>", "queue to put the job into")
    .option("--in <duration>", "run it later: in 30s, 5m, 7d, or in a number of seconds", parseDelay)
    .option("--at <time>", "run it later: at 2026-11-20T18:00:00Z, or in this machine's time", parseTime)
    .option("-f, --file <file>", "one job a line, as JSON; - reads standard input");
  addRedisOptions(command)
    .option("--json", "print the result as JSON")
    .addHelpText("after", HELP_AFTER)
    .action(async (className: string | undefined, args: string[], options: EnqueueOptions) => {
      const { runEnqueue } = await import("./run-enqueue.ts");
      await runEnqueue(className, args, options);
    });
}
