/**
 * What workerd does not do by itself, but Cloudflare does: the clock stands still while a Worker computes, and an invocation may make so many
 * requests.
 */
const TOO_MANY = "Too many subrequests by single Worker invocation.";
const system = {
  now: Date.now.bind(Date),
  fetch: globalThis.fetch.bind(globalThis),
  setTimeout: globalThis.setTimeout.bind(globalThis),
};

let nowMs = system.now();
let requests = 0;
let maxRequests = 50;

/** Something has come from outside. */
function wake(): void {
  nowMs = system.now();
}

Date.now = () => nowMs;
performance.now = () => nowMs;
globalThis.fetch = async (...args) => {
  if (++requests > maxRequests) throw new Error(TOO_MANY);
  try {
    return await system.fetch(...args);
  } finally {
    wake();
  }
};
globalThis.setTimeout = ((callback: () => void, delayMs?: number) =>
  system.setTimeout(() => {
    wake();
    callback();
  }, delayMs)) as never;

/** The time, also while a Worker computes. */
export const realNowMs = (): number => system.now();

/** How many requests the invocation has made that is under way, or was the last. */
export const made = (): number => requests;

/** The handlers, each call of which is an invocation. One at a time. */
export function asInProduction<Handlers extends object>(handlers: Handlers, limit = 50): Handlers {
  const wrapped = Object.entries(handlers).map(([name, handler]) => [
    name,
    (...args: unknown[]) => {
      wake();
      requests = 0;
      maxRequests = limit;
      return handler(...args);
    },
  ]);
  return Object.fromEntries(wrapped);
}
