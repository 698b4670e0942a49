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
  const name = JSON.stringify(job.class);
  return refusal(
    "UnknownJobClass",
    `the job is an Active Job: define the class ${name} by activeJob() of "airlift/active-job"`,
  );
}

/** How a job fails whose class nobody here knows. */
export function unknownClass(className: string, { classes }: Pick<Registry, "classes">): Failure {
  const list = `${classes.slice(0, 20).join(", ")}${classes.length > 20 ? ", …" : ""}`;
  const known = classes.length > 0 ? `it knows ${list}` : "it knows none";
  return refusal("UnknownJobClass", `this app has no job for the class ${JSON.stringify(className)}; ${known}`);
}

function refusal(exception: string, message: string): Failure {
  return { exception, message, backtrace: [] };
}
