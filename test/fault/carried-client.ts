import { isScriptCall, type RedisClient, type RedisCommand, type ScriptCall } from "../../src/resque/client.ts";

/** One request on its way to Redis. */
export interface Letter {
  /** The commands and scripts that it holds, in order, as `exchange` or `SMEMBERS`. */
  readonly names: readonly string[];
  /** Brings it to Redis. May be called again, or much later: a duplicate. */
  deliver(): Promise<unknown>;
}

/** Decides what becomes of a request, and answers its sender. */
export type Carry = (letter: Letter) => Promise<unknown>;

/** A client whose requests all go through `carry`, which may deliver, lose, keep and repeat them. */
export function carriedClient(inner: RedisClient, carry: Carry): RedisClient {
  const send = async <T>(items: readonly (RedisCommand | ScriptCall)[], deliver: () => Promise<T>): Promise<T> => {
    const names = items.map((item) => (isScriptCall(item) ? item.script.name : String(item[0])));
    return (await carry({ names, deliver })) as T;
  };
  return {
    description: inner.description,
    command: (command, options) => send([command], () => inner.command(command, options)),
    pipeline: (items, options) => send(items, () => inner.pipeline(items, options)),
    transaction: (commands, options) => send(commands, () => inner.transaction(commands, options)),
    script: (call, options) => send([call], () => inner.script(call, options)),
    close: async () => undefined,
  };
}
