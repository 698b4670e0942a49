import { createHash } from "node:crypto";
import { Redis as UpstashRedis } from "@upstash/redis";
import { Redis } from "ioredis";
import { upstash } from "../../src/redis/upstash.ts";
import type { Setting } from "./system.ts";

/**
 * The least that a drain must do which loses nothing: pop jobs, mark them as being worked on in the slots' keys, take the marks of the
 * finished ones away (by overwriting, or by DEL where no job follows), count.
 *
 * KEYS: queue, stat:processed, the slots that are free. ARGV: finished jobs, text before the payload in a mark.
 * Returns the payloads.
 */
const SOURCE = `
local free = #KEYS - 2
local jobs = redis.call("LPOP", KEYS[1], free) or {}
if tonumber(ARGV[1]) > 0 then redis.call("INCRBY", KEYS[2], ARGV[1]) end
if #jobs > 0 then
  local marks = {}
  for i = 1, #jobs do
    marks[2 * i - 1] = KEYS[i + 2]
    marks[2 * i] = ARGV[2] .. jobs[i] .. "}"
  end
  redis.call("MSET", unpack(marks))
end
if #jobs < free and tonumber(ARGV[1]) > 0 then redis.call("DEL", unpack(KEYS, #jobs + 3)) end
return jobs
`;
const SHA1 = createHash("sha1").update(SOURCE).digest("hex");

/** The floor's script on one client. */
export interface FloorScript {
  /** Settles `finished` jobs, whose slots are among `slots`, and fills `slots`: the payloads, for the first slots of the list. */
  exchange(slots: readonly string[], finished: number): Promise<string[]>;
  /** Calls so far. */
  readonly calls: number;
  close(): Promise<void>;
}

/** Which client carries the script: the libraries that anyone would take, or Airlift's own. */
export type FloorClient = "library" | "airlift";

/** Connects to Redis and loads the script. */
export async function openFloorScript(setting: Setting, queue: string, via: FloorClient): Promise<FloorScript> {
  const open = setting.transport === "tcp" ? openTcp : via === "library" ? openHttp : openAirliftHttp;
  const client = await open(setting);
  const shared = [`resque:queue:${queue}`, "resque:stat:processed"];
  const script = {
    calls: 0,
    async exchange(slots: readonly string[], finished: number): Promise<string[]> {
      script.calls += 1;
      const mark = `{"claim":"floor.${script.calls}","queue":"${queue}","run_at":"2026-01-01T00:00:00Z","payload":`;
      return (await client.evalsha([...shared, ...slots], [String(finished), mark])) as string[];
    },
    close: client.close,
  };
  return script;
}

interface ScriptClient {
  evalsha(keys: string[], args: string[]): Promise<unknown>;
  close(): Promise<void>;
}

async function openHttp(setting: Setting): Promise<ScriptClient> {
  const redis = new UpstashRedis({
    url: setting.gatewayUrl,
    token: setting.token,
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    responseEncoding: false,
    readYourWrites: false,
    retry: { retries: 0 },
    signal: () => AbortSignal.timeout(30_000),
  });
  await redis.scriptLoad(SOURCE);
  return { evalsha: (keys, args) => redis.evalsha(SHA1, keys, args), close: async () => {} };
}

async function openAirliftHttp(setting: Setting): Promise<ScriptClient> {
  const redis = upstash({ url: setting.gatewayUrl, token: setting.token });
  const script = { name: "floor", source: SOURCE, sha1: SHA1, keyLockingSha1: SHA1 };
  await redis.command(["SCRIPT", "LOAD", SOURCE]);
  return { evalsha: (keys, args) => redis.script({ script, keys, args }), close: () => redis.close() };
}

async function openTcp(setting: Setting): Promise<ScriptClient> {
  const redis = new Redis(setting.redisPort, "127.0.0.1");
  await redis.script("LOAD", SOURCE);
  return {
    evalsha: (keys, args) => redis.evalsha(SHA1, keys.length, ...keys, ...args),
    close: async () => redis.disconnect(),
  };
}
