import type { OnEvent } from "./events.ts";
import type { Logger } from "./job-context.ts";

/** A name may have as many characters as a payload. */
const MAX_CLASS_CHARS = 200;

/** Logs what somebody who reads the log of a drain wants to know: jobs that failed, and what went other ways than it should. */
export function logEvents(logger: Logger): OnEvent {
  // Before that nothing is at stake, and the drain's own error says the same soon.
  let hasClaimed = false;
  return (event) => {
    if (event.kind === "job-claimed") hasClaimed = true;
    if (event.kind === "job-ended" && (event.outcome.kind === "failed" || event.outcome.kind === "dropped")) {
      const { exception, message } = event.outcome.failure;
      const [error] = `${exception}: ${message}`.split("\n", 1);
      logger.warn(event.outcome.kind === "failed" ? "job failed" : "job failed and is kept nowhere", {
        queue: event.queue,
        class: event.class === undefined ? "(not a job)" : event.class.slice(0, MAX_CLASS_CHARS),
        error,
      });
    } else if (event.kind === "job-lost") {
      logger.warn("another drain had taken the job back; it runs again", {
        queue: event.queue,
        class: (event.class ?? "").slice(0, MAX_CLASS_CHARS),
      });
    } else if (event.kind === "store-retry" && event.attempt === 1 && hasClaimed) {
      logger.warn(`${event.error.message}; trying again until the lease or the time is over`);
    } else if (event.kind === "drain-recovered") {
      const { requeued, failed } = event;
      logger.warn("took back the jobs of a drain that died", { requeued, failed });
    } else if (event.kind === "ticks-missed") {
      logger.warn("no drain had ended for longer than there should be none", { silentMs: event.silentMs });
    }
  };
}
