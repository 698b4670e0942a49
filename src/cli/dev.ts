import type { Command } from "commander";
import { DEV_PORTS } from "./dev-ports.ts";
import { collectQueues, parseCount, parseDuration, parsePort } from "./option-parsers.ts";
import type { DevOptions } from "./run-dev.ts";

const HELP_AFTER = `
Starts a Redis in this process (nothing is kept when it ends), the Upstash REST protocol in front of it, the HTTP API and a drain every
few seconds. All of it listens on 127.0.0.1 only. Without --app it runs the example jobs.

Examples:
  airlift dev
  airlift dev --app jobs.ts --port 3000
  redis-cli -p ${DEV_PORTS.redis} lrange resque:failed 0 -1      while it runs
`;

/** `airlift dev`: the whole system on one machine. */
export function addDevCommand(program: Command): void {
  program
    .command("dev")
    .description("run the whole system on this machine, with nothing installed")
    .option("--app <file>", "TypeScript or JavaScript module with the jobs (default: the examples)")
    .option(
      "--queues <names>",
      "names, weights (mail=2), patterns (img-*), exclusions (!slow) (default: *)",
      collectQueues,
    )
    .option("--concurrency <n>", "jobs that run at the same time (default: 25)", parseCount)
    .option("--interval <duration>", "pause between drains: seconds, or such as 500ms (default: 2)", parseDuration)
    .option("--port <port>", `of the HTTP API (default: ${DEV_PORTS.api}, or the next that is free)`, parsePort)
    .option(
      "--rest-port <port>",
      `of the REST endpoint (default: ${DEV_PORTS.rest}, or the next that is free)`,
      parsePort,
    )
    .option("--redis-port <port>", `of the Redis (default: ${DEV_PORTS.redis}, or the next that is free)`, parsePort)
    .option("--token <token>", "of the HTTP API and the REST endpoint (default: a random one)")
    .option("--once", "end when the queues are empty")
    .addHelpText("after", HELP_AFTER)
    .action(async (options: DevOptions) => {
      const { runDev } = await import("./run-dev.ts");
      await runDev(options);
    });
}
