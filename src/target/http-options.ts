import { UsageError } from "../core/errors.ts";
import { type BatchOptions, checkBatchOptions } from "./batch.ts";
import type { HttpEndpoint } from "./http-endpoint.ts";
import type { HttpPostOptions } from "./http-post.ts";

export interface HttpTargetOptions extends HttpPostOptions, Omit<HttpEndpoint, "url"> {
  /** Sends jobs that run at the same time in one request; only to an endpoint that they share. @default each has its own */
  readonly batch?: BatchOptions;
  /**
   * Does not wait for the job's end: an endpoint that answers 202 tells it later, within `leaseMs`, through the store. Otherwise the job goes back to its
   * queue, as from a drain that died. Any other answer is the job's end. @default 202 means that the job is done, as each 2xx does
   */
  readonly acknowledge?: { readonly leaseMs: number };
}

const KNOWN = ["secret", "headers", "timeoutMs", "refusePrivateAddresses", "maxReplyBytes", "batch", "acknowledge"];
const MAX_MS = 86_400_000;
const MAX_LEASE_MS = 7 * MAX_MS;

/** Checks all that is not the endpoint's. @throws UsageError */
export function checkHttpOptions(endpoint: unknown, options: HttpTargetOptions): void {
  if (typeof options !== "object" || options === null) throw wrong("options", "an object with secret", options);
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) throw new UsageError(`http: ${unknown}: unknown option`);
  const { headers = {}, timeoutMs, refusePrivateAddresses = false, maxReplyBytes, batch, acknowledge } = options;
  if (typeof headers !== "object" || headers === null) throw wrong("headers", "an object of texts", headers);
  if (typeof refusePrivateAddresses !== "boolean") {
    throw wrong("refusePrivateAddresses", "true or false", refusePrivateAddresses);
  }
  checkInteger("timeoutMs", timeoutMs, MAX_MS);
  checkInteger("maxReplyBytes", maxReplyBytes, Number.MAX_SAFE_INTEGER);
  if (batch !== undefined) checkBatchOptions("http", batch);
  if (batch !== undefined && typeof endpoint === "function") {
    throw new UsageError("http: batch: expected none, as the jobs' endpoints differ");
  }
  if (acknowledge === undefined) return;
  if (typeof acknowledge !== "object" || acknowledge === null || acknowledge.leaseMs === undefined) {
    throw wrong("acknowledge", "{ leaseMs }", acknowledge);
  }
  checkInteger("acknowledge.leaseMs", acknowledge.leaseMs, MAX_LEASE_MS);
}

function checkInteger(name: string, value: unknown, max: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max)) return;
  throw wrong(name, `an integer from 1 to ${max}`, value);
}

function wrong(name: string, expected: string, value: unknown): UsageError {
  const got = typeof value === "number" || value === null ? String(value) : typeof value;
  return new UsageError(`http: ${name}: expected ${expected}, got ${got}`);
}
