import type { DrainEvent, OnEvent } from "./events.ts";
import type { Logger } from "./job.ts";

/** Tells each listener, whatever the others do. What one throws, or rejects with if it is asynchronous, is logged. */
export function guardListeners(listeners: readonly OnEvent[], logger: Logger): (event: DrainEvent) => void {
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
