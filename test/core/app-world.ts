import { expect } from "vitest";
import { type Airlift, type AirliftOptions, createAirlift } from "../../src/airlift.ts";
import type { Logger } from "../../src/core/job.ts";
import type { AnyJobDefinition } from "../../src/core/registry.ts";
import type { RedisClient, RedisReply } from "../../src/resque/client.ts";
import { openWorld, type World } from "../conformance/world.ts";
import type { Setup } from "../support/setups.ts";

export type AppOptions = Partial<AirliftOptions> & { readonly jobs: readonly AnyJobDefinition[] };

/** A world with apps in it. */
export interface AppWorld extends World {
  /** An app on the world's client and queue `q`, silent, unless told otherwise. */
  app(options: AppOptions): Airlift;
  /** Fails if a drain has left anything in Redis beside what its jobs' ends leave there for good. */
  expectNoTraces(): Promise<void>;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export async function openAppWorld(kind: Setup): Promise<AppWorld> {
  const world = await openWorld(kind);
  const { keys } = world;
  return {
    ...world,
    app: (options) => createAirlift({ redis: world.client, queues: ["q"], logger: silent, ...options }),
    async expectNoTraces() {
      const lasting = [keys.queues, keys.failed, keys.processed, keys.failures];
      const names = (await world.keyNames()).filter(
        (name) => !lasting.includes(name) && !name.startsWith(keys.queue("")),
      );
      expect(names).toEqual([]);
    },
  };
}

/** A gate that handlers wait at until it is opened. */
export function createGate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** What happens to one call: it is carried out or not, and answered or not. */
export type Fate = "ok" | { readonly carriedOut: boolean; readonly error?: Error };

/** A client whose calls meet the given fates; without an error, one that is not answered never ends. */
export function fatedClient(
  client: RedisClient,
  fateOf: (call: number) => Fate,
): RedisClient & { readonly calls: number } {
  let calls = 0;
  const meet = async <T>(run: () => Promise<T>): Promise<T> => {
    const fate = fateOf(++calls);
    if (fate === "ok") return run();
    if (fate.carriedOut) await run();
    if (fate.error) throw fate.error;
    return new Promise<never>(() => undefined);
  };
  return {
    description: client.description,
    get calls() {
      return calls;
    },
    command: (command, options): Promise<RedisReply> => meet(() => client.command(command, options)),
    pipeline: (items, options): Promise<RedisReply[]> => meet(() => client.pipeline(items, options)),
    transaction: (commands, options): Promise<RedisReply[]> => meet(() => client.transaction(commands, options)),
    script: (call, options): Promise<RedisReply> => meet(() => client.script(call, options)),
    close: async () => undefined,
  };
}
