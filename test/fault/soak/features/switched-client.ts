import type { RedisClient } from "../../../../src/resque/client.ts";

/** A client whose calls go another way from some moment on. */
export interface SwitchedClient {
  readonly client: RedisClient;
  /** Closes the one before. */
  switchTo(client: RedisClient): void;
}

export function switchedClient(first: RedisClient): SwitchedClient {
  let current = first;
  return {
    client: {
      description: first.description,
      command: (command, options) => current.command(command, options),
      pipeline: (items, options) => current.pipeline(items, options),
      transaction: (commands, options) => current.transaction(commands, options),
      script: (call, options) => current.script(call, options),
      close: () => current.close(),
    },
    switchTo(client) {
      void current.close();
      current = client;
    },
  };
}
