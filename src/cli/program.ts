import { Argument, Command } from "commander";
import { addDelayedCommand } from "./delayed.ts";
import { addDevCommand } from "./dev.ts";
import { addDrainCommand } from "./drain.ts";
import { addEnqueueCommand } from "./enqueue.ts";
import { addFailedCommand } from "./failed.ts";
import { addGatewayCommand } from "./gateway.ts";
import { addJobCommand } from "./job.ts";
import { readOwnPackage } from "./own-modules.ts";
import { addPauseCommands } from "./pause.ts";
import { addQueuesCommand } from "./queues.ts";
import { addRetriesCommand } from "./retries.ts";
import { addScheduleCommand } from "./schedule.ts";
import { addStatusCommand } from "./status.ts";
import { toLine } from "./terminal-text.ts";
import { addWorkCommand } from "./work.ts";
import { addWorkersCommand } from "./workers.ts";

const HELP_AFTER = `
Redis is found by --redis URL (https:// or http:// with --token, redis:// or rediss://), or else by the environment:
UPSTASH_REDIS_REST_URL and _TOKEN, KV_REST_API_URL and _TOKEN, the variable that REDIS_PROVIDER names, REDIS_URL.

Exit status: 0 done, 1 failed, 2 wrong usage.

Examples:
  airlift dev                                   everything on this machine, with example jobs
  airlift drain --app jobs.ts --redis redis://127.0.0.1:6379
  airlift enqueue SendEmail ada@example.com '{"cc":[]}' --queue mail
  airlift failed retry --class SendEmail --since 2h
  airlift help drain
`;

/** The whole command line. It throws a CommanderError, having written its message, where commander would end the process. */
export function createProgram(): Command {
  const program = new Command("airlift")
    .description("Drains Resque queues, over HTTP Redis or TCP, without losing a job.")
    .version(readOwnPackage().version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .addHelpText("after", HELP_AFTER)
    .configureOutput({
      // One line, also with a suggestion, which commander puts on a second; and without arguments that are too many, or what is given to an option
      // that is none, as a token may be among them.
      outputError: (text, write) => {
        const told = text
          .replace(/^error: /, "")
          .replace(/(but got \d+): .*/s, "$1.")
          .replace(/^(unknown option '[^=]*)=.*'/s, "$1'");
        write(`airlift: ${toLine(told)}\n`);
      },
    })
    .exitOverride();
  // Commands copy these settings, so they come after.
  addDevCommand(program);
  addDrainCommand(program);
  addWorkCommand(program);
  addEnqueueCommand(program);
  addGatewayCommand(program);
  addStatusCommand(program);
  addJobCommand(program);
  addQueuesCommand(program);
  addWorkersCommand(program);
  addFailedCommand(program);
  addRetriesCommand(program);
  addDelayedCommand(program);
  addScheduleCommand(program);
  addPauseCommands(program);
  addHelpCommand(program);
  return program;
}

/** Commander's own answers a name that it does not know with the whole help. */
function addHelpCommand(program: Command): void {
  const names = program.commands.map((command) => command.name());
  program
    .command("help")
    .description("print help for a command")
    .addArgument(new Argument("[command]", "which one").choices(names))
    .action((name: string | undefined) => {
      (program.commands.find((command) => command.name() === name) ?? program).help();
    });
}
