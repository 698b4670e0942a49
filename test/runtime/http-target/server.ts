/** What runs in each host: both ends of the HTTP target. */
import { isDirective } from "../../../src/core/directive.ts";
import type { JobContext } from "../../../src/core/job.ts";
import { createJobFunction } from "../../../src/job-function/job-function.ts";
import { toFetchJobHandler } from "../../../src/platform/fetch.ts";
import { type HttpTargetOptions, http } from "../../../src/target/http.ts";
import { SECRET } from "./secret.ts";

/** Asks this host to send a job. */
export interface SendRequest {
  readonly url: string;
  readonly options?: Partial<HttpTargetOptions>;
}

/** How the host's target ended it. */
export type SendAnswer =
  | { readonly kind: "result"; readonly result?: unknown }
  | { readonly kind: "directive"; readonly directive: unknown }
  | { readonly kind: "error"; readonly name: string; readonly message: string };

export async function handle(request: Request): Promise<Response> {
  const jobs = [{ class: "Add", perform: ([a, b]: readonly unknown[]) => Number(a) + Number(b) }];
  const receive = toFetchJobHandler(createJobFunction({ jobs }), { secret: SECRET });
  if (new URL(request.url).pathname === "/jobs") return await receive(request);
  return Response.json(await send(await request.json()));
}

async function send({ url, options }: SendRequest): Promise<SendAnswer> {
  try {
    const args = [1, 2];
    const result = await http(url, { secret: SECRET, ...options })(args, jobContext(args));
    return isDirective(result) ? { kind: "directive", directive: { ...result } } : { kind: "result", result };
  } catch (error) {
    const { name, message } = error as Error;
    return { kind: "error", name, message };
  }
}

function jobContext(args: readonly unknown[]): JobContext {
  const { signal } = new AbortController();
  const raw = JSON.stringify({ class: "Add", args });
  const deadlineMs = Date.now() + 30_000;
  // As much of it as a target reads.
  return { queue: "q", class: "Add", args, raw, attempt: 1, retries: 0, deadlineMs, signal, id: undefined } as never;
}
