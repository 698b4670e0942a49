import type { DrainEvent, OnEvent } from "./events.ts";
import type { Logger } from "./job-context.ts";

/** Undefined if nobody listens, so that `emit?.({ … })` makes no event in vain: there are two for each job. */
export type Emit = ((event: DrainEvent) => void) | undefined;

/** Tells each listener, whatever the others do. What one throws, or rejects with if it is asynchronous, is logged. */
export function guardListeners(listeners: readonly OnEvent[], logger: Logger): Emit {
  if (listeners.length === 0) return undefined;
  const report = (error: unknown): void => logger.error("onEvent failed", { error });
  return (event) => {
    for (const listener of listeners) {
      try {
        const result: unknown = listener(event);
        if (result instanceof Promise) result.catch(report);
      } catch (error) {
        report(error);
      }
    }
  };
}
