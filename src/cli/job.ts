import type { Command } from "commander";
import { addRedisOptions } from "./redis-options.ts";
import type { ShowOptions } from "./show.ts";

const HELP_AFTER = `
The app that enqueued the job must keep statuses: createAirlift({ status: { ttlMs } }). Its id is what enqueueing it answered with.

Exit status: 0 the job is known, whatever became of it; 1 it is not.

Examples:
  airlift job 01931a3c-7c00-7d5e-9a6e-2f1b6c1d0e3f
  airlift job order:17 --json
`;

/** `airlift job`: the status of one job. */
export function addJobCommand(program: Command): void {
  const command = program
    .command("job")
    .description("show what became of a job, by its id")
    .argument("<id>", "id of the job");
  addRedisOptions(command)
    .option("--json", "print it as JSON")
    .addHelpText("after", HELP_AFTER)
    .action(async (id: string, options: ShowOptions) => {
      const { runJob } = await import("./run-job.ts");
      await runJob(id, options);
    });
}
