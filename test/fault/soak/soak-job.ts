import { createHash } from "node:crypto";
import { createRandom } from "../harness/random.ts";
import { idIn } from "../payload-forms.ts";

/** What a job's handler does, known to it and to whoever judges it. */
export interface JobPlan {
  /** 0 for a handler that returns at once. */
  readonly durationMs: number;
  readonly fails: boolean;
}

/** Half take a few milliseconds or none, the others long enough that a kill finds them running; one in 25 fails. */
export function planOf(seed: number, id: number): JobPlan {
  const random = createRandom(seed, "job", id);
  const fails = random.chance(0.04);
  const share = random.next();
  if (share < 0.05) return { durationMs: 0, fails };
  if (share < 0.5) return { durationMs: random.whole(1, 20), fails };
  if (share < 0.85) return { durationMs: random.whole(30, 250), fails };
  if (share < 0.99) return { durationMs: random.whole(200, 700), fails };
  return { durationMs: random.whole(1_000, 2_500), fails };
}

/** How a failing job fails: always in the same words, so that its entry can be told byte for byte. */
export class SoakError extends Error {
  override readonly name = "SoakError";

  constructor(id: number) {
    super(`job ${id} fails, "as" planned\u2028`);
    this.stack = `${this.name}: ${this.message}\n    at plan (soak.ts:1:1)`;
  }
}

export const SOAK_BACKTRACE: readonly string[] = ["at plan (soak.ts:1:1)"];

/** Names the bytes of a payload. */
export function fingerprint(payload: string | Uint8Array): string {
  return createHash("sha256").update(payload).digest("base64url").slice(0, 22);
}

const OWN_MEMBER = /,"airlift":\{[^{}]*\}\}$/;

/** A payload as a handler is given it, without what Airlift has put at its end. */
export function withoutOwnMember(raw: string): { readonly payload: string; readonly hadMember: boolean } {
  return { payload: raw.replace(OWN_MEMBER, "}"), hadMember: OWN_MEMBER.test(raw) };
}

/** The number of the job with these arguments. */
export function idOfArgs(args: unknown): number | undefined {
  if (typeof args === "string") return idIn(args);
  if (typeof args !== "object" || args === null) return undefined;
  for (const value of Object.values(args)) {
    const id = idOfArgs(value);
    if (id !== undefined) return id;
  }
  return undefined;
}
