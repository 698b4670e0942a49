import type { Command } from "commander";
import { addShowOptions } from "./admin-options.ts";
import type { PauseOptions } from "./run-pause.ts";

const HELP_AFTER = `
What runs goes on; no more jobs are taken. Without --queue or --class it is everything, for Ruby's workers, too (pause-all-workers). A
queue is paused as by resque-pause, a class for Airlift's drains alone. Each pause is ended by resuming the same.

Examples:
  airlift pause --queue mail
  airlift resume --queue mail
  airlift pause --class SendEmail
  airlift pause
`;

/** `airlift pause` and `airlift resume`. */
export function addPauseCommands(program: Command): void {
  for (const [change, description] of [
    ["pause", "take no more jobs: of a queue, of a class, or any"],
    ["resume", "end a pause"],
  ] as const) {
    const command = program
      .command(change)
      .description(description)
      .option("--queue <name>", "of this queue")
      .option("--class <name>", "of this class");
    addShowOptions(command)
      .addHelpText("after", HELP_AFTER)
      .action(async (options: PauseOptions) => {
        const { runPause } = await import("./run-pause.ts");
        await runPause(change, options);
      });
  }
}
