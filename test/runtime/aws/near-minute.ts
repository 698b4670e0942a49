/**
 * Preloaded by node: when something begins to schedule, the clock of the process is put forward to some seconds before a full minute, so that nobody has
 * to wait long for what happens each minute.
 */
import { registerHooks } from "node:module";
import { isMainThread } from "node:worker_threads";

const LEAD_MS = 5_000;

if (isMainThread) {
  const RealDate = Date;
  let aheadMs = 0;
  const nowMs = (): number => RealDate.now() + aheadMs;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
    get: (target, name, receiver) => (name === "now" ? nowMs : Reflect.get(target, name, receiver)),
  });
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === "node-schedule") aheadMs ||= 60_000 - ((RealDate.now() + LEAD_MS) % 60_000);
      return nextResolve(specifier, context);
    },
  });
}
