import { UsageError } from "./errors.ts";

/** Says where a secret comes from, as it must not be quoted itself. */
const EXPECTED =
  'base64 of 24 to 64 random bytes, as "openssl rand -base64 32" prints, with or without "whsec_" before it';
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/**
 * Checks the secrets that jobs are signed with by Standard Webhooks (https://www.standardwebhooks.com).
 *
 * @param what whose option it is
 * @param secret one, or several while they change: a message is signed with each, and one that bears the signature of any is taken
 * @throws UsageError that quotes none of them
 */
export function checkWebhookSecrets(what: string, secret: unknown): readonly string[] {
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  if (secrets.length === 0) throw new UsageError(`${what}: secret: expected at least one`);
  return secrets.map((each) => {
    if (typeof each === "string" && isSecret(each)) return each;
    const got = typeof each === "string" ? "another text" : String(each === null ? null : typeof each);
    throw new UsageError(`${what}: secret: expected ${EXPECTED}, got ${got}`);
  });
}

function isSecret(text: string): boolean {
  const base64 = text.replace(/^whsec_/, "");
  const padding = /^(?:[A-Za-z0-9+/]{4})*?(?:[A-Za-z0-9+/]{2}(==)|[A-Za-z0-9+/]{3}(=))?$/.exec(base64);
  const bytes = (base64.length / 4) * 3 - (padding?.[1] ?? padding?.[2] ?? "").length;
  return padding !== null && bytes >= MIN_BYTES && bytes <= MAX_BYTES;
}
