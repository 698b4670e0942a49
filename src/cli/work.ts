import type { Command } from "commander";
import { addAppOptions } from "./app-options.ts";
import { parseDuration } from "./option-parsers.ts";
import type { WorkOptions } from "./run-work.ts";

const HELP_AFTER = `
For containers and servers. An idle look costs one command, so every 5 seconds is half a million commands a month.
QUIT, TERM and INT let running jobs end; a second signal ends at once.

Examples:
  airlift work --app jobs.ts --interval 5
  airlift work --app jobs.ts --queues critical,mail --interval 500ms --json
`;

/** `airlift work`: drains again and again. */
export function addWorkCommand(program: Command): void {
  const command = program.command("work").description("drain again and again, until told to stop");
  addAppOptions(command)
    .option("--interval <duration>", "pause between drains: seconds, or such as 500ms (default: 5)", parseDuration)
    .option("--json", "print each drain's report as a line of JSON")
    .addHelpText("after", HELP_AFTER)
    .action(async (options: WorkOptions) => {
      const { runWork } = await import("./run-work.ts");
      await runWork(options);
    });
}
