import { timingSafeEqual } from "hono/utils/buffer";
import { UsageError } from "../core/errors.ts";

/** One secret, or several while it changes: a request needs to bear one of them. */
export type RouteSecret = string | readonly string[];

/** The secrets, without what is none: a variable of the environment that is not set, or blank. Without any, nobody passes. */
export function listSecrets(secret: RouteSecret | undefined): readonly string[] {
  const secrets: readonly unknown[] = typeof secret === "string" ? [secret] : (secret ?? []);
  return secrets.filter((each): each is string => typeof each === "string" && each.trim() !== "");
}

/** @throws UsageError that does not quote it */
export function checkRouteSecret(what: string, secret: unknown): void {
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  const wrong = secrets.find((each) => each !== undefined && typeof each !== "string");
  if (wrong === undefined) return;
  throw new UsageError(`${what}: secret: expected a text or an array of texts, got ${String(wrong && typeof wrong)}`);
}

/** Whether a request has the header `Authorization: Bearer <secret>`. The time that the answer takes tells nothing of the secrets. */
export async function bearsSecret({ headers }: Request, secrets: readonly string[]): Promise<boolean> {
  const given = /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
  // All of them, whichever fits.
  const fits = await Promise.all(secrets.map((secret) => timingSafeEqual(secret, given)));
  return fits.includes(true);
}
