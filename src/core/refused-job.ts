import type { Failure } from "./outcome.ts";
import type { AnyJobDefinition, Registry } from "./registry.ts";
import type { ClaimedJob } from "./store.ts";

/** Why a job cannot be run, though its class may be known. */
export function refusalOf(job: ClaimedJob, definition: AnyJobDefinition | undefined): Failure | undefined {
  if (job.kind === "malformed") {
    return refusal("MalformedPayload", `the payload is not a Resque job: ${job.reason}`);
  }
  if (job.refusal) return job.refusal;
  if (!definition || !job.isActiveJob || "wire" in definition) return undefined;
  const name = quoteClass(job.class);
  return refusal(
    "UnknownJobClass",
    `the job is an Active Job: define the class ${name} by activeJob() of "airlift/active-job"`,
  );
}

/** How a job fails whose class nobody here knows. */
export function unknownClass(className: string, { classes }: Pick<Registry, "classes">): Failure {
  const list = `${classes.slice(0, 20).join(", ")}${classes.length > 20 ? ", …" : ""}`;
  const known = classes.length > 0 ? `it knows ${list}` : "it knows none";
  return refusal("UnknownJobClass", `this app has no job for the class ${quoteClass(className)}; ${known}`);
}

const MAX_CLASS_CHARS = 200;

/** As much of a class's name as a message holds: it may have as many characters as a payload, and what is said of a job travels beside it. */
function quoteClass(className: string): string {
  return JSON.stringify(className.length > MAX_CLASS_CHARS ? `${className.slice(0, MAX_CLASS_CHARS)}…` : className);
}

function refusal(exception: string, message: string): Failure {
  return { exception, message, backtrace: [] };
}
