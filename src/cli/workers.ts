import type { Command } from "commander";
import { addListCommand, addPageOptions, addShowOptions } from "./admin-options.ts";
import type { PruneOptions, WorkerListOptions } from "./run-workers.ts";

const HELP_AFTER = `
Each job that a drain of Airlift may run at a time is a worker; --by-drain shows them together.

Exit status: 0 done, 1 failed or not found, 2 wrong usage.

Examples:
  airlift workers
  airlift workers --by-drain
  airlift workers prune oldhost:4429:mail
`;

/** `airlift workers`: who works, and on what. */
export function addWorkersCommand(program: Command): void {
  const workers = program
    .command("workers")
    .description("show workers of every Resque program and what they do; remove dead ones")
    .addHelpText("after", HELP_AFTER);

  const list = addListCommand(workers, "show the workers");
  addShowOptions(
    addPageOptions(list.option("--by-drain", "show Airlift's drains with the jobs that they hold")),
  ).action(async (_: undefined, options: WorkerListOptions) => {
    const { runWorkerList } = await import("./run-workers.ts");
    await runWorkerList(options);
  });

  const prune = workers
    .command("prune")
    .description("remove a dead worker of another program; the job that it held goes to failed")
    .argument("<id>", "its id, as the list shows it")
    .option("--force", "even if it gave a sign of life in the last 300 s");
  addShowOptions(prune).action(async (id: string, options: PruneOptions) => {
    const { runPrune } = await import("./run-workers.ts");
    await runPrune(id, options);
  });
}
