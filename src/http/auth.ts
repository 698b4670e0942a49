import type { MiddlewareHandler } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { problem } from "./problem.ts";

/** What a token allows: `enqueue` puts jobs into queues, `operate` drains and looks. */
export type Role = "enqueue" | "operate";

/**
 * Lets a request pass that bears one of `tokens`, compared in constant time. With no token configured nobody passes: 403, which
 * says how to configure one.
 */
export function requireToken(role: Role, tokens: readonly string[]): MiddlewareHandler {
  if (tokens.length === 0) {
    return async () =>
      problem({
        kind: "closed",
        status: 403,
        title: "This route is closed",
        detail: `No token is configured for it: give createHttpApp the option tokens.${role}.`,
      });
  }
  const unauthorized = (detail: string, status = 401) => ({
    message: () => problem({ kind: "unauthorized", status, title: "A valid bearer token is needed", detail }),
  });
  return bearerAuth({
    token: [...tokens],
    noAuthenticationHeader: unauthorized("Send the header Authorization: Bearer <token>."),
    invalidAuthenticationHeader: unauthorized("The Authorization header has not the form Bearer <token>.", 400),
    invalidToken: unauthorized(`The token is not one that may ${role}.`),
  });
}
