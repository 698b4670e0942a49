import type { Command } from "commander";
import { addListCommand, addShowOptions, parseArgs } from "./admin-options.ts";
import type { ScheduleListOptions, ScheduleSetOptions } from "./run-schedule.ts";
import type { ShowOptions } from "./show.ts";

const HELP_AFTER = `
Schedules in Redis (persistent_schedules), which resque-scheduler reads, too; with --app, those in the app's code as well. A drain enqueues
the jobs of an app whose scheduler is cron({ persistent: true }); while Ruby's scheduler leads, it does.

Exit status: 0 done, 1 failed or not found, 2 wrong usage.

Examples:
  airlift schedule
  airlift schedule list --app jobs.ts
  airlift schedule set report --cron "30 9 * * 1-5 Europe/Berlin" --class SendReport --queue mail --args '["daily"]'
  airlift schedule set sweep --every 30s --class Sweep --queue low
  airlift schedule remove sweep
`;

/** `airlift schedule`: what is enqueued again and again. */
export function addScheduleCommand(program: Command): void {
  const schedule = program
    .command("schedule")
    .description("list, set and remove schedules")
    .addHelpText("after", HELP_AFTER);

  const list = addListCommand(schedule, "show the schedules").option(
    "--app <file>",
    "module with an Airlift: shows its schedules, too",
  );
  addShowOptions(list).action(async (_: undefined, options: ScheduleListOptions) => {
    const { runScheduleList } = await import("./run-schedule.ts");
    await runScheduleList(options);
  });

  const set = schedule
    .command("set")
    .description("write a schedule, in the place of one with the same name")
    .argument("<name>")
    .option("--cron <line>", "when: 5 or 6 fields, a time zone at the end if it is not UTC")
    .option("--every <duration>", "when: each 30s, 5m, 1d")
    .requiredOption("--class <name>", "the job's class")
    .requiredOption("--queue <name>", "the queue")
    .option("--args <json>", "the job's arguments (default: [])", parseArgs)
    .option("--description <text>", "what it is for");
  addShowOptions(set).action(async (name: string, options: ScheduleSetOptions) => {
    const { runScheduleSet } = await import("./run-schedule.ts");
    await runScheduleSet(name, options);
  });

  const remove = schedule.command("remove").description("remove a schedule").argument("<name>");
  addShowOptions(remove).action(async (name: string, options: ShowOptions) => {
    const { runScheduleRemove } = await import("./run-schedule.ts");
    await runScheduleRemove(name, options);
  });
}
