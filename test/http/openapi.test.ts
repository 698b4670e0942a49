import type { JSONSchema7 } from "json-schema";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADMIN_ROUTES } from "../../src/http/admin-routes.ts";
import { DURATION } from "../../src/http/job-time.ts";
import { type OpenApp, openApp } from "./open-app.ts";

let open: OpenApp;
// biome-ignore lint/suspicious/noExplicitAny: a document of any shape, which is what is tested
let document: any;
beforeAll(async () => {
  open = await openApp();
  const response = await open.app.request("/openapi.json");
  expect(response.status).toBe(200);
  document = await response.json();
});
afterAll(() => open[Symbol.asyncDispose]());

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** Every operation, as `METHOD /path`. */
// biome-ignore lint/suspicious/noExplicitAny: as above
function operations(): [name: string, operation: any, path: string][] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item as object).map(([method, operation]): [string, unknown, string] => [
      `${method.toUpperCase()} ${path}`,
      operation,
      path,
    ]),
  );
}

function resolve(schema: JSONSchema7): JSONSchema7 {
  const name = /^#\/components\/schemas\/(\w+)$/.exec(schema.$ref ?? "")?.[1];
  return name === undefined ? schema : document.components.schemas[name];
}

test("it describes the app's routes, all of them and no others", () => {
  const routes = open.app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  expect(
    operations()
      .map(([name]) => name)
      .toSorted(),
  ).toEqual([...new Set(routes)].toSorted());
  expect(operations()).toHaveLength(7 + ADMIN_ROUTES.length);
});

test("it is a valid document of OpenAPI 3.1", () => {
  expect(document.openapi).toMatch(/^3\.1\.\d$/);
  expect(document.info).toMatchObject({ title: "Airlift", version: expect.any(String) });
  const ids = operations().map(([, { operationId }]) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [name, operation, path] of operations()) {
    expect(METHODS, name).toContain(name.split(" ")[0]?.toLowerCase());
    expect(Object.keys(operation.responses), name).not.toEqual([]);
    for (const [status, response] of Object.entries<Record<string, unknown>>(operation.responses)) {
      expect(status, name).toMatch(/^[1-5]\d\d$/);
      expect(response, `${name} ${status}`).toMatchObject({ description: expect.stringMatching(/./) });
      expect(
        Object.keys(response).filter((key) => !["description", "headers", "content", "links"].includes(key)),
      ).toEqual([]);
    }
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
    const parameters: { in: string; name: string; required?: boolean; schema: unknown }[] = operation.parameters ?? [];
    expect(
      parameters.filter((each) => each.in === "path").map((each) => each.name),
      name,
    ).toEqual(inPath);
    for (const parameter of parameters) {
      expect(parameter.schema, name).toBeTypeOf("object");
      if (parameter.in === "path") expect(parameter.required, name).toBe(true);
    }
    for (const requirement of operation.security ?? []) {
      for (const scheme of Object.keys(requirement)) expect(document.components.securitySchemes).toHaveProperty(scheme);
    }
  }
});

test("every reference leads to something, and everything is referred to", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference);
  expect(references.length).toBeGreaterThan(0);
  const known = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
  expect([...new Set(references)].toSorted()).toEqual(known.toSorted());
});

test("what needs a token says which one, and nothing else does", async () => {
  const closed = operations().filter(([, { security }]) => security);
  const admin = ADMIN_ROUTES.map(({ method, path }) => `${method.toUpperCase()} ${path.replace(":queue", "{queue}")}`);
  expect(Object.fromEntries(closed.map(([name, { security }]) => [name, security]))).toEqual({
    "POST /queues/{queue}/jobs": [{ enqueueToken: [] }],
    "GET /jobs/{id}": [{ enqueueToken: [] }, { operateToken: [] }],
    ...Object.fromEntries(
      ["POST /drain", "GET /drain", "GET /status", ...admin].map((name) => [name, [{ operateToken: [] }]]),
    ),
  });
  for (const [name, { security }, path] of operations()) {
    const [method = ""] = name.split(" ");
    const { status } = await open.app.request(path.replace("{queue}", "q"), { method });
    expect([name, status === 401]).toEqual([name, security !== undefined]);
  }
});

describe("what it says of answers is true", () => {
  test.each([
    ["GET /health", () => open.request("/health")],
    ["GET /status", () => open.request("/status")],
    ["POST /drain", () => open.request("/drain", { method: "POST" })],
    ["POST /queues/{queue}/jobs", () => open.enqueue({ class: "A" })],
  ])("%s", async (name, send) => {
    const response = await send();
    const operation = operations().find(([each]) => each === name)?.[1];
    const described = operation.responses[response.status].content["application/json"].schema;
    expectShape(await response.json(), described);
  });

  test("POST /queues/{queue}/jobs, a problem with all that a problem may have", async () => {
    const response = await open.enqueue('{"class":"A"}\n{}', { type: "application/x-ndjson" });
    const operation = operations().find(([each]) => each === "POST /queues/{queue}/jobs")?.[1];
    const {
      uncertain: _,
      replaced: _replaced,
      dropped: _dropped,
      ...properties
    } = document.components.schemas.Problem.properties;
    const described = operation.responses["400"].content["application/problem+json"].schema;
    expect(resolve(described)).toBe(document.components.schemas.Problem);
    const required = Object.keys(properties);
    expectShape(await response.json(), { ...document.components.schemas.Problem, properties, required });
  });

  /** Compares members and types, all the way down: those that are required must be there, and none that is not described. */
  function expectShape(value: unknown, schema: JSONSchema7): void {
    const { type, properties, required = [], items, const: only } = resolve(schema);
    if (only !== undefined) expect(value).toBe(only);
    else if (type === "object") {
      expect(Object.keys(value as object)).toEqual(expect.arrayContaining(required));
      expect(Object.keys(properties ?? {})).toEqual(expect.arrayContaining(Object.keys(value as object)));
      for (const [key, member] of Object.entries(value as object))
        expectShape(member, properties?.[key] as JSONSchema7);
    } else if (type === "array") {
      expect(Array.isArray(value)).toBe(true);
      for (const item of value as unknown[]) expectShape(item, items as JSONSchema7);
    } else if (type === "integer") expect(Number.isInteger(value)).toBe(true);
    else expect(typeof value).toBe(type);
  }
});

test("what it says of a job is what is accepted", () => {
  const { content } = document.paths["/queues/{queue}/jobs"].post.requestBody;
  expect(Object.keys(content)).toEqual(["application/json", "application/x-ndjson"]);
  expect(document.components.schemas.Job).toMatchObject({
    type: "object",
    required: ["class"],
    additionalProperties: false,
    properties: {
      class: { type: "string", minLength: 1 },
      args: { type: "array", default: [] },
      at: { type: "string" },
      in: { type: "string", pattern: DURATION.source },
    },
  });
});

test("it is public, and the same on each request", async () => {
  expect(await (await open.app.request("/openapi.json")).json()).toEqual(document);
});
