import { type Airlift, type AirliftOptions, createAirlift } from "../../src/airlift.ts";
import type { Logger } from "../../src/core/job.ts";
import type { AnyJobDefinition } from "../../src/core/registry.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RawReply } from "../../src/redis/ioredis-connection.ts";
import { upstash } from "../../src/redis/upstash.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { openWorld, type World } from "../conformance/world.ts";
import { startGateway } from "../support/gateway.ts";
import { type Setup, setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { openMonitor, type SeenCommand } from "./monitor.ts";

/** Only a real redis-server has ACLs. */
export const aclSetup: Setup | undefined = setups().find(({ name }) => name === "redis-server-tcp");

const PASSWORD = "acl-test-password";

/** A world whose users are those of the rules that it is given; `send` and its like are the administrator's. */
export interface AclWorld extends World {
  /** Carries out a line as the documents have it, `ACL SETUSER <user> …`, with a password for their `PASSWORD`. */
  setUser(line: string): Promise<void>;
  /** A connection of a user's, over TCP, or through a gateway that connects as that user. */
  clientOf(user: string, transport?: "tcp" | "http"): Promise<RedisClient>;
  /** What was refused since the last call, `<user>: <command or key>`, inside scripts too. */
  denials(): Promise<string[]>;
  /** What users other than the administrator have carried out while `run` ran. */
  watch(run: () => Promise<unknown>): Promise<readonly SeenCommand[]>;
}

/** What a scene is played with. */
export interface Stage {
  readonly world: AclWorld;
  /** The user's. */
  readonly client: RedisClient;
  /** An app on the user's client and queue `q`, silent, unless told otherwise. */
  app(options: Partial<AirliftOptions> & { readonly jobs: readonly AnyJobDefinition[] }): Airlift;
}

/** Something that a user must be able to do. */
export interface Scene {
  readonly name: string;
  /** Options whose lines it needs, too. */
  readonly beside?: readonly string[];
  /** Commands that are refused in its course, and may be. */
  readonly refused?: readonly string[];
  play(stage: Stage): Promise<void>;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until the one drain that runs has renewed what it holds. */
export async function renewal(world: World): Promise<void> {
  const beats = new Set<string>();
  await until(async () => {
    for (const beat of Object.values((await world.everything())[world.keys.drains] ?? {})) beats.add(beat);
    // What was there, an exchange that may have been under way, and one for its time alone.
    return beats.size > 2;
  });
}

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function createStage(world: AclWorld, client: RedisClient): Stage {
  return {
    world,
    client,
    app: (options) => createAirlift({ redis: client, queues: ["q"], logger: silent, ...options }),
  };
}

export async function openAclWorld(): Promise<AclWorld> {
  if (!aclSetup) throw new Error("no redis-server");
  const world = await openWorld(aclSetup);
  const { url, port } = world.setup.redis;
  const opened: { close(): Promise<void> }[] = [];
  return {
    ...world,
    async setUser(line) {
      const [acl, setuser, user = "", ...rules] = line.split(" ");
      await world.send([acl ?? "", setuser ?? "", user, ...rules.map((rule) => rule.replace("PASSWORD", PASSWORD))]);
    },
    async clientOf(user, transport = "tcp") {
      const userUrl = url.replace("//", `//${user}:${PASSWORD}@`);
      if (transport === "tcp") {
        const client = ioredis(userUrl);
        opened.push(client);
        return client;
      }
      const gateway = await startGateway(userUrl);
      opened.push(gateway);
      return upstash({ url: gateway.url, token: gateway.token });
    },
    async denials() {
      const [log] = await world.send(["ACL", "LOG", 1_000], ["ACL", "LOG", "RESET"]);
      return (log as RawReply[]).map((entry) => {
        const fields = (entry as RawReply[]).map(String);
        const of = (name: string): string => fields[fields.indexOf(name) + 1] ?? "";
        return `${of("username")}: ${of("reason")} ${of("object")} (${of("context")})`;
      });
    },
    async watch(run) {
      await using monitor = await openMonitor(port, (mark) => world.send(["ECHO", mark]));
      await run();
      const seen = await monitor.seen();
      const [list] = await world.send(["CLIENT", "LIST"]);
      const clients = String(list).matchAll(/ addr=(\S+) .* user=(\S+) /g);
      const users = new Set(Array.from(clients).flatMap(([, addr, user]) => (user === "default" ? [] : [addr])));
      let sender = "";
      return seen.filter(({ from, args }) => {
        // What a script calls is told right behind the call of the script.
        if (from !== "lua") sender = from;
        return users.has(sender) && args[0]?.toUpperCase() !== "AUTH";
      });
    },
    async [Symbol.asyncDispose]() {
      for (const each of opened) await each.close();
      await world[Symbol.asyncDispose]();
    },
  };
}
