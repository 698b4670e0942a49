import type { Command } from "commander";
import { parsePort } from "./option-parsers.ts";
import type { GatewayCommandOptions } from "./run-gateway.ts";

const HELP_AFTER = `
Anything that speaks to Upstash by HTTP can then speak to a Redis of your own. The token is what clients must send; AIRLIFT_GATEWAY_TOKEN
gives it without showing it in the list of processes.

Example:
  airlift gateway --redis redis://127.0.0.1:6379 --token "$(openssl rand -hex 32)" --port 8079
`;

/** `airlift gateway`: the Upstash REST protocol in front of a Redis. */
export function addGatewayCommand(program: Command): void {
  program
    .command("gateway")
    .description("serve the Upstash REST protocol in front of any Redis")
    .option("--redis <url>", "redis:// or rediss:// (default: REDIS_PROVIDER's variable, REDIS_URL)")
    .option("--token <token>", "bearer token that clients must send (default: AIRLIFT_GATEWAY_TOKEN)")
    .option("--port <port>", "port to listen on", parsePort, 8079)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .addHelpText("after", HELP_AFTER)
    .action(async (options: GatewayCommandOptions) => {
      const { runGateway } = await import("./run-gateway.ts");
      await runGateway(options);
    });
}
