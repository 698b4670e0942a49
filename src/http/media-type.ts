import type { Context } from "hono";
import { problem } from "./problem.ts";

/**
 * The body's media type, in lower case; undefined if the request names none, or one that Airlift cannot read: another charset
 * than UTF-8.
 */
export function mediaType(c: Context): string | undefined {
  const [type = "", ...parameters] = (c.req.header("content-type") ?? "").toLowerCase().split(";");
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(parameter)?.[1];
    if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") return undefined;
  }
  return type.trim() || undefined;
}

/** 415, naming what is accepted. */
export function unsupportedMediaType(accepted: string): Response {
  return problem({
    kind: "unsupported-media-type",
    status: 415,
    title: "This body cannot be read",
    detail: `Send ${accepted}, in UTF-8, and name it in the header Content-Type.`,
  });
}

/** 415 for a compressed body, which Airlift does not unpack; undefined for a plain one. */
export function refuseContentEncoding(c: Context): Response | undefined {
  const encoding = c.req.header("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || encoding === "") return undefined;
  return problem({
    kind: "unsupported-media-type",
    status: 415,
    title: "This body cannot be read",
    detail: "Compressed bodies are not unpacked: send it without a Content-Encoding.",
    headers: { "accept-encoding": "identity" },
  });
}
