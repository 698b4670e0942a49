import type { Context, Hono, MiddlewareHandler } from "hono";
import { type DescribeRouteOptions, describeRoute, resolver, validator } from "hono-openapi";
import * as v from "valibot";
import type { Airlift } from "../airlift.ts";
import { describeJsonError, parseJson } from "../core/json.ts";
import { ANSWERS } from "./admin-answers.ts";
import { ADMIN_ROUTES, type AdminRoute } from "./admin-routes.ts";
import { issuesToFieldErrors } from "./field-errors.ts";
import { mediaType, refuseContentEncoding, unsupportedMediaType } from "./media-type.ts";
import { json, problems } from "./openapi.ts";
import { invalid } from "./operate-routes.ts";
import { decodeUtf8 } from "./parse-json.ts";
import { problem } from "./problem.ts";
import { readBody } from "./read-body.ts";
import { readSegment } from "./read-segment.ts";
import { stringifyAnswer } from "./stringify-answer.ts";

export interface AdminAppOptions {
  readonly mayOperate: MiddlewareHandler;
  /** Of a request's body. */
  readonly maxBodyBytes: number;
  /** How long an answer may take, in milliseconds. */
  readonly maxMs: number;
}

/** Adds the routes that look at queues, workers and jobs, and change them. */
export function addAdminRoutes(app: Hono, airlift: Airlift, options: AdminAppOptions): void {
  const { mayOperate, maxBodyBytes, maxMs } = options;
  for (const route of ADMIN_ROUTES) {
    const queueFromEnd = route.path.split("/").toReversed().indexOf(":queue");
    const answer = async (c: Context, input: object): Promise<Response> => {
      const queue = queueFromEnd === -1 ? "" : readSegment(c.req.url, queueFromEnd);
      if (typeof queue === "object") return invalid([queue]);
      const deadlineMs = Date.now() + maxMs;
      try {
        const value = await route.run({ airlift, input, queue, deadlineMs });
        const headers = { "content-type": "application/json", "cache-control": "no-store" };
        return new Response(stringifyAnswer(value), { headers });
      } catch (error) {
        // By name, as a host may have bundled Airlift twice.
        if (!(error instanceof Error && error.name === "UsageError")) throw error;
        return problem({
          ...{ kind: "invalid-request", status: 400, title: "The request is not valid" },
          detail: `${error.message}.`,
        });
      }
    };
    if (route.method === "get") {
      const query = validator("query", route.input, (result) =>
        result.success ? undefined : invalid(issuesToFieldErrors(result.error)),
      );
      // The validator has just made it, by the route's own schema.
      const read = (c: Context): object => c.req.valid("query" as never);
      app.get(route.path, describeRoute(describe(route)), mayOperate, query, (c) => answer(c, read(c)));
    } else {
      app.post(
        ...([route.path, describeRoute(describe(route)), mayOperate] as const),
        async (c, next) => refuseContentEncoding(c) ?? (await next()),
        async (c) => {
          const body = await readInput(c, route.input, maxBodyBytes);
          return body instanceof Response ? body : answer(c, body);
        },
      );
    }
  }
}

async function readInput(c: Context, schema: AdminRoute["input"], maxBytes: number): Promise<object | Response> {
  const bytes = await readBody(c, maxBytes);
  if (bytes instanceof Response) return bytes;
  let value: unknown = {};
  if (bytes.length > 0) {
    if (mediaType(c) !== "application/json") return unsupportedMediaType("application/json");
    const text = decodeUtf8(bytes);
    if (text === undefined) return invalid([{ path: "", message: "is not valid UTF-8" }]);
    try {
      value = parseJson(text);
    } catch (error) {
      return invalid([{ path: "", message: describeJsonError(error) }]);
    }
  }
  const result = v.safeParse(schema, Array.isArray(value) ? null : value);
  return result.success ? result.output : invalid(issuesToFieldErrors(result.issues));
}

const QUEUE_PARAMETER = {
  in: "path" as const,
  name: "queue",
  required: true,
  description: "The queue's name, percent-encoded",
  schema: { type: "string" as const, minLength: 1 },
};

function describe({ method, path, id, summary, input, answer }: AdminRoute): DescribeRouteOptions {
  return {
    operationId: id,
    summary,
    security: [{ operateToken: [] }],
    ...(path.includes(":queue") && { parameters: [QUEUE_PARAMETER] }),
    ...(method === "post" && {
      requestBody: { required: false, content: { "application/json": { schema: resolver(input) } } },
    }),
    responses: {
      200: json(method === "get" ? "As Redis has it now" : "It is done", ANSWERS[answer]),
      ...problems(400, 401, 403, 503),
      ...(method === "post" && problems(413, 415)),
    },
  };
}
