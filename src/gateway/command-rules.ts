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

/** Options before the keys of XREAD and XREADGROUP, with how many words each one has beside its name. Groups may be named as they are. */
const STREAM_OPTIONS: ReadonlyMap<string, number> = new Map([
  ["COUNT", 1],
  ["BLOCK", 1],
  ["GROUP", 2],
  ["NOACK", 0],
]);

/** The error text for a command that the gateway does not carry, or undefined for one that it does. */
export function refusal(command: readonly (string | Uint8Array)[]): string | undefined {
  const name = wordAt(command, 0);
  if (REFUSED.has(name)) return unavailable(name);
  // It makes the connection, which all share, the debugger's; SYNC stops the server.
  if (name === "SCRIPT" && wordAt(command, 1) === "DEBUG") return unavailable("SCRIPT DEBUG");
  if ((name === "XREAD" || name === "XREADGROUP") && waits(command)) return unavailable(`${name} BLOCK`);
  return undefined;
}

/** Streams are read without waiting. */
function waits(command: readonly (string | Uint8Array)[]): boolean {
  for (let at = 1; at < command.length; ) {
    const option = wordAt(command, at);
    const words = STREAM_OPTIONS.get(option);
    if (option === "BLOCK") return true;
    // The keys, or what Redis will refuse.
    if (words === undefined) return false;
    at += 1 + words;
  }
  return false;
}

/** Up to its first NUL, as Redis compares names, though not always. A word may come as the body of a request, in bytes. */
function wordAt(command: readonly (string | Uint8Array)[], index: number): string {
  const arg = command[index] ?? "";
  const word = typeof arg === "string" ? arg : Buffer.from(arg).toString("latin1");
  return (word.split("\0", 1)[0] as string).toUpperCase();
}

function unavailable(name: string): string {
  return `ERR Command is not available: '${name}'. See https://upstash.com/docs/redis/overall/compatibility for details`;
}
