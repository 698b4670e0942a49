import type { Command } from "commander";
import type { ConnectionOptions } from "./connection.ts";

/** Options of the commands that look into Redis. */
export interface RedisOptions extends ConnectionOptions {
  readonly namespace?: string;
}

/** Adds `--redis`, `--token` and `--namespace`. */
export function addRedisOptions(command: Command): Command {
  return command
    .option("--redis <url>", "https:// or http:// (with --token), redis:// or rediss:// (default: the environment)")
    .option("--token <token>", "of an HTTP Redis (default: UPSTASH_REDIS_REST_TOKEN, KV_REST_API_TOKEN)")
    .option("--namespace <name>", "what all keys begin with (default: resque)");
}
