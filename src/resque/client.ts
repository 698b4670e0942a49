/**
 * What Airlift needs of a Redis client. The files of `redis/` implement it; nothing else knows a client library.
 *
 * Every failure is a `StoreError` (core/errors.ts) whose message holds no payload, no token and no arguments.
 * A client never repeats a call by itself: the drain knows what may be repeated and until when.
 */

/** A reply as RESP2 has it, text decoded as UTF-8 (invalid bytes arrive as U+FFFD). Integers beyond 2^53 arrive as text. */
export type RedisReply = string | number | null | RedisReply[];

/** A command's name and arguments. */
export type RedisCommand = readonly (string | number)[];

/** A Lua script of `resque/scripts/`, with the digests under which EVALSHA finds it. */
export interface LuaScript {
  readonly name: string;
  readonly source: string;
  /** SHA-1 of `source`. */
  readonly sha1: string;
  /** SHA-1 of `KEY_LOCKING_HEADER + source`, the form that Upstash wants. */
  readonly keyLockingSha1: string;
}

/** One call of a script. Every key that it touches is in `keys`. */
export interface ScriptCall {
  readonly script: LuaScript;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** In a pipeline it goes with its text, so that it keeps its place even if the server does not know it. */
  readonly inFull?: boolean;
}

/**
 * What was spent, as Upstash bills it: each command, pipeline item and transaction item counts one, a script call counts
 * one (a call that was refused for a missing script, too). What a script calls inside is added by whoever knows the script.
 */
export interface Usage {
  commands: number;
  /** HTTP requests; over TCP, round trips. */
  requests: number;
}

export interface CallOptions {
  /** Increased in place by what the call spends, also when it fails. */
  readonly usage?: Usage;
}

/** @see the file's head for errors and repetition. */
export interface RedisClient {
  /** For messages: the client's name and the address it talks to, without credentials. */
  readonly description: string;
  command(command: RedisCommand, options?: CallOptions): Promise<RedisReply>;
  /**
   * Sends the items in one request; they run in order, not atomically. Rejects with the first item's error, the others having
   * run. Calls of scripts that the server does not know are sent again after the others, with the scripts' text; those that
   * must not come later than the others are sent so at once, by `inFull`.
   */
  pipeline(items: readonly (RedisCommand | ScriptCall)[], options?: CallOptions): Promise<RedisReply[]>;
  /** MULTI/EXEC in one request: all items or none. */
  transaction(commands: readonly RedisCommand[], options?: CallOptions): Promise<RedisReply[]>;
  /** EVALSHA, then EVAL if the server does not know the script. */
  script(call: ScriptCall, options?: CallOptions): Promise<RedisReply>;
  /** Frees what this client opened itself. A client library that was handed in stays open. */
  close(): Promise<void>;
}

/** True for a script call among pipeline items. */
export function isScriptCall(item: RedisCommand | ScriptCall): item is ScriptCall {
  return !Array.isArray(item);
}
