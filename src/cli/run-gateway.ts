import { UsageError } from "../core/errors.ts";
import { serveGateway } from "../gateway/serve-gateway.ts";
import { listenForStop } from "../platform/node.ts";
import { findTcpRedis } from "./connection.ts";

/** Options of `airlift gateway`. */
export interface GatewayCommandOptions {
  readonly redis?: string;
  readonly token?: string;
  readonly port: number;
  readonly host: string;
}

/** Serves until the process is told to stop. */
export async function runGateway(options: GatewayCommandOptions): Promise<void> {
  const token = options.token ?? process.env["AIRLIFT_GATEWAY_TOKEN"];
  if (!token)
    throw new UsageError("gateway: no token; expected --token TOKEN, or AIRLIFT_GATEWAY_TOKEN in the environment");
  const redis = findTcpRedis(options, process.env);
  const { port, host } = options;
  const gateway = await serveGateway({ redisUrl: redis.url, tokens: [token], port, host });
  process.stdout.write(`serving ${new URL(redis.url).host} (${redis.source}) at ${gateway.url}\n`);
  await new Promise<void>((resolve) => {
    listenForStop({ onStop: () => resolve(), onForce: (_name, status) => process.exit(status) });
  });
  await gateway.close();
}
