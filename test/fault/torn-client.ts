import { StoreError } from "../../src/core/errors.ts";
import { isScriptCall, type RedisClient, type RedisReply } from "../../src/resque/client.ts";

/** Where a pipeline breaks: which one, and how many of its items are carried out before. */
export interface Tear {
  readonly pipeline: number;
  readonly items: number;
}

/**
 * A client whose pipelines are what Redis promises of them, and no more: their items run in order, one by one, with others' requests in
 * between, and the connection may break in the middle.
 */
export function tornClient(inner: RedisClient, tears: readonly Tear[]): RedisClient & { mend(): void } {
  let pipelines = 0;
  let left = tears;
  return {
    ...{ description: inner.description, close: async () => undefined },
    command: (command, options) => inner.command(command, options),
    transaction: (commands, options) => inner.transaction(commands, options),
    script: (call, options) => inner.script(call, options),
    async pipeline(items, options) {
      const tear = left.find(({ pipeline }) => pipeline === pipelines);
      pipelines++;
      const replies: RedisReply[] = [];
      for (const [index, item] of items.entries()) {
        if (tear && index >= tear.items) throw new StoreError("unavailable", "the connection broke");
        replies.push(await (isScriptCall(item) ? inner.script(item, options) : inner.command(item, options)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      return replies;
    },
    mend() {
      left = [];
    },
  };
}
