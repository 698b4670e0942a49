/**
 * What REST cannot carry: commands that change or need the state of a connection, that wait, or that push. Upstash's list is
 * https://upstash.com/docs/redis/features/restapi ("REST - Redis API Compatibility"). MONITOR and SUBSCRIBE have their own
 * endpoints there, with server-sent events, which this gateway lacks. Commands that stop the server or make it another's
 * replica are not REST's on Upstash either.
 */
const REFUSED = new Set([
  ...["BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT", "WAITAOF"],
  ...["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR"],
  ...["MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"],
  ...["SELECT", "SWAPDB", "AUTH", "HELLO", "RESET", "QUIT", "CLIENT", "ASKING", "READONLY", "READWRITE"],
  ...[
    "SHUTDOWN",
    "DEBUG",
    "SYNC",
    "PSYNC",
    "REPLCONF",
    "REPLICAOF",
    "SLAVEOF",
    "FAILOVER",
    "MIGRATE",
    "CLUSTER",
    "MODULE",
  ],
]);

/** Streams are read without waiting; the option that waits is refused wherever it stands before the keys. */
const BLOCKING_OPTION = new Set(["XREAD", "XREADGROUP"]);

/** The error text for a command that the gateway does not carry, or undefined for one that it does. */
export function refusal(command: readonly (string | Uint8Array)[]): string | undefined {
  const name = String(command[0]).toUpperCase();
  if (REFUSED.has(name)) return unavailable(name);
  if (BLOCKING_OPTION.has(name)) {
    const streams = command.findIndex((arg) => String(arg).toUpperCase() === "STREAMS");
    const isBlocking = command.some((arg, index) => index < streams && String(arg).toUpperCase() === "BLOCK");
    if (isBlocking) return unavailable(`${name} BLOCK`);
  }
  return undefined;
}

function unavailable(name: string): string {
  return `ERR Command is not available: '${name}'. See https://upstash.com/docs/redis/overall/compatibility for details`;
}
