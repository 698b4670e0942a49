import { Webhook } from "standardwebhooks";
import { UsageError } from "../core/errors.ts";
import { checkWebhookSecrets } from "../core/webhook-secrets.ts";
import { isPrivateHost } from "./http-private.ts";

/** Where jobs are sent, and what their requests bear. */
export interface HttpEndpoint {
  readonly url: string | URL;
  /**
   * What requests are signed with: base64 of 24 to 64 random bytes, `whsec_` before it or not. Several while they change: a request then bears a
   * signature of each.
   */
  readonly secret: string | readonly string[];
  /** Sent along, as `{ authorization: "Bearer …" }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An endpoint whose parts are right. */
export interface CheckedEndpoint {
  readonly url: URL;
  readonly webhooks: readonly Webhook[];
  /** In lower case; without those of the single request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Texts that an endpoint may echo, and that nobody else should see; the longest first. */
  readonly secrets: readonly string[];
}

/** Shorter texts are no secrets, and removing them would make an answer unreadable. */
const MIN_SECRET_CHARS = 6;

/** @throws UsageError */
export function checkEndpoint(endpoint: HttpEndpoint, refusePrivateAddresses: boolean): CheckedEndpoint {
  const headers = checkHeaders(endpoint.headers ?? {});
  const keys = checkWebhookSecrets("http", endpoint.secret);
  const url = checkUrl(endpoint.url, refusePrivateAddresses);
  const { pathname, search, searchParams } = url;
  return {
    url,
    webhooks: keys.map((key) => new Webhook(key)),
    headers: { "user-agent": "Airlift", accept: "application/json", ...headers, ...OWN_HEADERS },
    secrets: [pathname + search, pathname, ...searchParams.values(), ...Object.values(headers), ...keys]
      .filter((text) => text.length >= MIN_SECRET_CHARS)
      .sort((a, b) => b.length - a.length),
  };
}

const OWN_HEADERS = { "content-type": "application/json", "accept-encoding": "identity" };

/** @throws UsageError that quotes no more of the address than its origin */
function checkUrl(address: string | URL, refusePrivateAddresses: boolean): URL {
  const url = URL.parse(String(address));
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new UsageError("http: url: expected an absolute one that begins with https:// or http://");
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(`http: url: ${url.origin}: put credentials into headers.authorization, not into the address`);
  }
  if (refusePrivateAddresses && isPrivateHost(url.hostname)) {
    throw new UsageError(`http: url: ${url.origin} is a private address, and refusePrivateAddresses is on`);
  }
  url.hash = "";
  return url;
}

/** What Airlift sets by itself. */
const OWN =
  /^(webhook-.*|content-(type|length|encoding)|accept-encoding|host|connection|keep-alive|upgrade|expect|te|trailer|transfer-encoding)$/;

/**
 * @returns the headers, their names in lower case
 * @throws UsageError that quotes no value
 */
function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (OWN.test(name.toLowerCase())) throw new UsageError(`http: headers: ${name} is set by Airlift`);
    const trimmed = typeof value === "string" ? asHeader(name, value) : undefined;
    if (trimmed === undefined) {
      throw new UsageError(`http: headers: ${JSON.stringify(name)}: expected a name and a text that HTTP can carry`);
    }
    checked[name.toLowerCase()] = trimmed;
  }
  return checked;
}

/** The value as it is sent, without a line break at its end; undefined if it cannot be. */
function asHeader(name: string, value: string): string | undefined {
  try {
    return new Headers([[name, value]]).get(name) ?? undefined;
  } catch {
    return undefined;
  }
}
