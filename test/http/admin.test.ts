import type { JSONSchema7 } from "json-schema";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cron } from "../../src/cron/cron.ts";
import { ADMIN_ROUTES } from "../../src/http/admin-routes.ts";
import { idOf } from "../resque/admin/admin-world.ts";
import { BAD_ENTRIES, payloadIn, WRITERS } from "../resque/admin/failed-entries.ts";
import { OPERATE_TOKEN, type OpenApp, openApp, problemOf } from "./open-app.ts";

const AT = 4_000_000_000;
const LATER = 9_000_000_000_000;
const WORKER = "vm:4429:bench";
const [ruby, goworker, node] = [WRITERS.ruby(1), WRITERS.goworker(1), WRITERS.node(1)];
const big = '{"class":"Add","args":[12345678901234567890,1e400,"\\ud800"]}';

let open: OpenApp;
beforeAll(async () => {
  const scheduler = cron({ persistent: true, schedules: [{ name: "own", every: "1h", class: "Own", queue: "mail" }] });
  open = await openApp({ airlift: { scheduler } });
});
beforeEach(async () => {
  const { client } = open;
  await client.command(["FLUSHALL"]);
  await client.command(["SADD", "resque:queues", "mail", "a/b c"]);
  await client.command(["RPUSH", "resque:queue:a/b c", '{"class":"Add","args":[1]}', big, "not json"]);
  await client.command(["RPUSH", "resque:failed", ...BAD_ENTRIES, ruby, goworker, node]);
  await client.command(["SADD", "resque:workers", WORKER, "broken"]);
  await client.command([
    "SET",
    `resque:worker:${WORKER}`,
    '{"queue":"bench","run_at":"2026-11-20T19:47:40Z","payload":{"class":"Sleep","args":[5]}}',
  ]);
  await client.command(["SET", `resque:worker:${WORKER}:started`, "2026-11-20 19:47:40 +0000"]);
  const waiting = (n: number): string =>
    `{"id":"d1.${n}","queue":"mail","attempt":2,"failed_at":"2026/11/20 18:50:57 UTC","exception":"E","error":"e","payload":{"class":"Add","args":[${n}]}}`;
  await client.command(["ZADD", "resque:airlift:retries", LATER, waiting(1), LATER, waiting(2)]);
  const item = '{"class":"Add","args":[1],"queue":"mail"}';
  await client.command(["RPUSH", `resque:delayed:${AT}`, item, "not json"]);
  await client.command(["SADD", `resque:timestamps:${item}`, `delayed:${AT}`]);
  await client.command(["ZADD", "resque:delayed_queue_schedule", AT, AT]);
  await client.command([
    "HSET",
    "resque:persistent_schedules",
    "nightly",
    '{"cron":"0 3 * * *","class":"Nightly","queue":"low"}',
    "bad",
    "{",
  ]);
});
afterAll(() => open[Symbol.asyncDispose]());

const bearer = { authorization: `Bearer ${OPERATE_TOKEN}` };
const get = (path: string): Promise<Response> => open.request(path, { headers: bearer });
const post = (
  path: string,
  body?: unknown,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<Response> =>
  open.request(path, {
    method: "POST",
    headers: { ...bearer, ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
const json = async (answer: Promise<Response>): Promise<Record<string, unknown>> => {
  const response = await answer;
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  return (await response.json()) as Record<string, unknown>;
};
const list = async (key: string): Promise<string[]> => (await open.client.command(["LRANGE", key, 0, -1])) as string[];

describe("looking", () => {
  test("at queues and their jobs, bad ones included", async () => {
    expect(await json(get("/queues"))).toEqual({
      total: 2,
      queues: [
        { name: "a/b c", size: 3, paused: false },
        { name: "mail", size: 0, paused: false },
      ],
    });
    expect(await json(get("/queues?limit=1"))).toMatchObject({ next: 1 });
    const text = await (await get("/queues/a%2Fb%20c/jobs")).text();
    expect(text).toContain('"args":[12345678901234567890,null,"\\ud800"]');
    expect(JSON.parse(text)).toMatchObject({
      total: 3,
      jobs: [{ class: "Add" }, { raw: big }, { problem: expect.any(String) }],
    });
    expect(await json(get("/queues/a%2Fb%20c/jobs?offset=1&limit=1"))).toMatchObject({ jobs: [{ raw: big }], next: 2 });
  });

  test("at workers and drains", async () => {
    expect(await json(get("/workers"))).toMatchObject({
      total: 2,
      workers: [
        { id: "broken", queues: [] },
        { id: WORKER, job: { class: "Sleep", args: [5], queue: "bench" } },
      ],
    });
    expect(await json(get("/drains"))).toEqual({ total: 0, drains: [] });
  });

  test("at failed jobs, filtered and a page at a time", async () => {
    expect(((await json(get("/failed")))["jobs"] as unknown[]).length).toBe(BAD_ENTRIES.length + 3);
    const page = await json(get("/failed?limit=2"));
    expect(page).toMatchObject({
      total: BAD_ENTRIES.length + 3,
      jobs: [{ raw: node }, { raw: goworker }],
      next: BAD_ENTRIES.length + 1,
    });
    expect(await json(get(`/failed?limit=1&cursor=${page["next"]}`))).toMatchObject({
      jobs: [{ raw: ruby, id: idOf(ruby) }],
    });
    const query = "class=Boom&queue=mail&error=BAD&since=2026-11-20T19:00:00Z&until=2026-11-20T20:00Z&retried=false";
    expect(await json(get(`/failed?order=oldest&${query}`))).toMatchObject({ jobs: [{ class: "Boom" }] });
    expect(await json(get("/failed/lists"))).toEqual({ lists: [{ name: "failed", size: BAD_ENTRIES.length + 3 }] });
  });

  test("at waiting and delayed jobs, schedules and pauses", async () => {
    expect(await json(get("/retries?limit=1"))).toMatchObject({
      total: 2,
      jobs: [{ id: "d1.1", dueMs: LATER, attempt: 2 }],
      next: 1,
    });
    expect(await json(get("/delayed"))).toMatchObject({
      jobs: [{ class: "Add", atMs: AT * 1_000 }, { problem: expect.any(String) }],
    });
    expect(await json(get("/schedules"))).toMatchObject({
      schedules: [
        { name: "bad", problem: expect.any(String) },
        { name: "nightly", class: "Nightly" },
        { name: "own", source: "code" },
      ],
    });
    expect(await json(get("/paused"))).toEqual({ everything: false, queues: [], classes: [] });
  });

  test("changes nothing, whatever the route and the query", async () => {
    const everything = async (): Promise<unknown> =>
      await Promise.all(
        ((await open.client.command(["KEYS", "*"])) as string[])
          .toSorted()
          .map(async (key) => [key, await open.client.command(["TYPE", key])]),
      );
    const before = await everything();
    for (const { path } of ADMIN_ROUTES) {
      for (const query of ["", "?all=true", "?ids=x", "?class=Add"]) {
        await get(path.replace(":queue", "mail") + query);
        await open.request(path.replace(":queue", "mail") + query, { method: "HEAD", headers: bearer });
      }
    }
    expect(await everything()).toEqual(before);
    expect(await list("resque:failed")).toHaveLength(BAD_ENTRIES.length + 3);
  });
});

describe("changing", () => {
  test("retries failed jobs by id, by filter, all", async () => {
    expect(await json(post("/failed/retry", { ids: [idOf(ruby), "f".repeat(40)] }))).toEqual({
      ...{ retried: 1, missing: ["f".repeat(40)], refused: 0, refusals: [] },
    });
    expect(await list("resque:queue:mail")).toEqual([payloadIn(ruby)]);
    expect(await json(post("/failed/retry", { class: "Sleep", until: "2027-01-01T00:00Z" }))).toMatchObject({
      retried: 1,
    });
    expect(await json(post("/failed/retry", { all: true, toQueue: "other" }))).toMatchObject({
      retried: 3,
      refused: BAD_ENTRIES.length - 2,
    });
    expect(await list("resque:queue:other")).toHaveLength(3);
  });

  test("removes failed jobs", async () => {
    expect(await json(post("/failed/remove", { ids: [idOf(ruby).slice(0, 12)] }))).toEqual({ removed: 1, missing: [] });
    expect(await json(post("/failed/remove", { error: "went wrong" }))).toMatchObject({ removed: 1 });
    expect(await json(post("/failed/remove", { all: true }))).toMatchObject({ removed: BAD_ENTRIES.length + 1 });
    expect(await list("resque:failed")).toEqual([]);
  });

  test("stops in time, and says where to go on", async () => {
    await using quick = await openApp({ http: { tokens: { operate: OPERATE_TOKEN }, maxDrainMs: 1 } });
    const many = Array.from({ length: 3_000 }, (_, n) => WRITERS.ruby(n));
    await quick.client.command(["RPUSH", "resque:failed", ...many]);
    let retried = 0;
    for (let cursor: number | undefined, calls = 0; calls === 0 || cursor !== undefined; calls++) {
      const body = JSON.stringify({ all: true, ...(cursor !== undefined && { cursor }) });
      const headers = { ...bearer, "content-type": "application/json" };
      const answer = await (await quick.request("/failed/retry", { method: "POST", headers, body })).json();
      retried += answer.retried;
      cursor = answer.next;
    }
    expect(retried).toBe(3_000);
    expect(await quick.payloads("mail")).toHaveLength(3_000);
  });

  test("removes jobs of a queue, all of them, the queue", async () => {
    const path = "/queues/a%2Fb%20c";
    expect(await json(post(`${path}/jobs/remove`, { class: "Add", args: [1] }))).toEqual({ removed: 1, missing: [] });
    expect(await json(post(`${path}/jobs/remove`, { ids: [idOf("not json")] }))).toEqual({ removed: 1, missing: [] });
    expect(await list("resque:queue:a/b c")).toEqual([big]);
    expect(await json(post(`${path}/clear`))).toEqual({ removed: 1 });
    expect(await json(post(`${path}/remove`, {}))).toEqual({ removed: 0 });
    expect(await open.client.command(["SMEMBERS", "resque:queues"])).toEqual(["mail"]);
  });

  test("prunes a dead worker", async () => {
    expect(await json(post("/workers/prune", { id: WORKER }))).toEqual({ pruned: true, jobFailed: true });
    expect(await open.client.command(["SMEMBERS", "resque:workers"])).toEqual(["broken"]);
    await open.client.command(["SADD", "resque:workers", WORKER]);
    await open.client.command(["HSET", "resque:workers:heartbeat", WORKER, new Date().toISOString()]);
    expect(await problemOf(await post("/workers/prune", { id: WORKER }))).toMatchObject({
      status: 400,
      detail: expect.stringMatching(/gave a sign of life \d+ s ago; expected none for 300 s, or force\.$/),
    });
    expect(await json(post("/workers/prune", { id: WORKER, force: true }))).toMatchObject({ pruned: true });
  });

  test("runs and removes waiting jobs, cancels and moves delayed ones", async () => {
    expect(await json(post("/retries/run", { ids: ["d1.1"] }))).toEqual({ changed: 1, missing: [] });
    expect(await json(post("/retries/remove", { class: "Add" }))).toEqual({ changed: 2, missing: [] });
    const { jobs } = (await json(get("/delayed"))) as { jobs: { id: string }[] };
    expect(await json(post("/delayed/reschedule", { class: "Add", args: [1], to: "2099-01-01T00:00:00Z" }))).toEqual({
      rescheduled: 1,
      missing: [],
    });
    expect(await json(post("/delayed/cancel", { ids: [jobs[1]?.id] }))).toEqual({ cancelled: 1, missing: [] });
    expect(await json(get("/delayed"))).toMatchObject({ jobs: [{ atMs: Date.UTC(2099, 0, 1) }] });
  });

  test("writes and removes schedules", async () => {
    const schedule = { cron: "30 9 * * 1-5 Europe/Berlin", class: "Report", queue: "mail", args: ["daily"] };
    expect(await json(post("/schedules", { name: "report", schedule }))).toEqual({ name: "report" });
    const written = await open.client.command(["HGET", "resque:persistent_schedules", "report"]);
    expect(JSON.parse(written as string)).toMatchObject(schedule);
    expect(await json(post("/schedules/remove", { name: "report" }))).toEqual({ removed: true });
    expect(await json(post("/schedules/remove", { name: "report" }))).toEqual({ removed: false });
    const wrong = await problemOf(
      await post("/schedules", { name: "x", schedule: { cron: "every now and then", class: "A", queue: "q" } }),
    );
    expect(wrong).toMatchObject({ status: 400, detail: expect.stringContaining("x") });
  });

  test("pauses and resumes", async () => {
    await json(post("/pause", { queue: "mail" }));
    await json(post("/pause", { class: "Add" }));
    expect(await json(post("/pause"))).toEqual({ everything: true, queues: ["mail"], classes: ["Add"] });
    await json(post("/resume", { queue: "mail" }));
    await json(post("/resume", { class: "Add" }));
    expect(await json(post("/resume", {}))).toEqual({ everything: false, queues: [], classes: [] });
  });
});

describe("what is wrong is refused, named, and changes nothing:", () => {
  test.each([
    ["/queues?limit=0", "limit", "must be a whole number from 1 to 1000"],
    ["/queues?limit=1001", "limit", "must be a whole number from 1 to 1000"],
    ["/workers?offset=-1", "offset", "must be a whole number, at least 0"],
    [
      "/failed?ofset=1",
      "ofset",
      "is not known; expected list, order, cursor, limit, class, queue, error, since, until, retried",
    ],
    ["/failed?order=up", "order", "must be newest or oldest"],
    ["/failed?since=yesterday", "since", "must be a time such as 2026-11-20T18:00:00Z"],
    ["/failed?retried=maybe", "retried", "must be true or false"],
    ["/failed?class=", "class", "must be a text that is not empty"],
    ["/failed/lists?x=1", "x", "is not known; it takes nothing"],
  ])("GET %s", async (path, field, message) => {
    expect(await problemOf(await get(path))).toMatchObject({ status: 400, errors: [{ path: field, message }] });
  });

  test.each([
    ["/failed/retry", { ids: [] }, "ids", "must not be empty"],
    ["/failed/retry", { ids: "x" }, "ids", "must be an array of ids"],
    ["/failed/retry", { all: "yes" }, "all", "must be true, or be left out"],
    ["/failed/remove", { index: 3 }, "index", /^is not known; expected list, ids, all/],
    ["/failed/remove", "[]", "", "must be an object"],
    ["/failed/remove", "{", "", "is not valid JSON (at character 2)"],
    ["/queues/q/clear", { really: true }, "really", "is not known; it takes nothing"],
    ["/delayed/reschedule", { class: "A" }, "to", "is required"],
    ["/workers/prune", { force: true }, "id", "is required"],
    ["/delayed/reschedule", { class: "A", to: "soon" }, "to", "must be a time such as 2026-11-20T18:00:00Z"],
    ["/schedules", { name: "a", schedule: "0 3 * * *" }, "schedule", "must be an object"],
    ["/pause", { queue: 5 }, "queue", "must be a text that is not empty"],
  ] as const)("POST %s %j", async (path, body, field, message) => {
    const problem = await problemOf(await post(path, body));
    expect(problem).toMatchObject({ status: 400, type: "urn:airlift:problem:invalid-request" });
    expect(problem["errors"]).toMatchObject([
      { path: field, message: typeof message === "string" ? message : expect.stringMatching(message) },
    ]);
  });

  test.each([
    [
      "/failed/retry",
      {},
      "failed.retry: expected ids, a filter (class, queue, error, since, until, retried), or all: true.",
    ],
    [
      "/failed/remove",
      { list: "mail", all: true },
      'failed.remove: list: expected "failed" or one of those in failed_queues, got "mail".',
    ],
    ["/failed/remove", { ids: ["abc"] }, 'failed.remove: ids: expected 12 to 40 digits 0-9 a-f, got "abc".'],
    ["/retries/remove", undefined, "retries.remove: expected ids, class, queue, or all: true."],
    ["/queues/q/jobs/remove", {}, "queues.removeJobs: expected ids or a class, got neither."],
    ["/pause", { queue: "a", class: "B" }, "pause: expected a queue or a class, got both."],
  ])("POST %s %j", async (path, body, detail) => {
    expect(await problemOf(await post(path, body))).toMatchObject({ status: 400, detail });
    expect(await list("resque:failed")).toHaveLength(BAD_ENTRIES.length + 3);
  });

  test("a body of another type or encoding, one that is too large, a method that there is not", async () => {
    expect(await problemOf(await post("/failed/retry", "all=true", { "content-type": "text/plain" }))).toMatchObject({
      status: 415,
    });
    const gzip = { "content-type": "application/json", "content-encoding": "gzip" };
    expect(await problemOf(await post("/failed/retry", "{}", gzip))).toMatchObject({ status: 415 });
    const long = { "content-type": "application/json", "content-length": "1000002" };
    expect(await problemOf(await post("/failed/retry", `{}${" ".repeat(1_000_000)}`, long))).toMatchObject({
      status: 413,
    });
    expect((await problemOf(await open.request("/failed", { method: "DELETE", headers: bearer })))["status"]).toBe(405);
  });

  test.each(ADMIN_ROUTES.map(({ method, path }) => [method.toUpperCase(), path.replace(":queue", "mail")] as const))(
    "%s %s without a token of the role operate",
    async (method, path) => {
      expect((await open.app.request(path, { method })).status).toBe(401);
      const headers = { authorization: "Bearer enqueue-token" };
      expect((await open.app.request(path, { method, headers })).status).toBe(401);
    },
  );
});

test("an app without a scheduler says so", async () => {
  await using bare = await openApp();
  const problem = await problemOf(await bare.request("/schedules", { headers: bearer }));
  expect(problem).toMatchObject({ status: 400, detail: expect.stringMatching(/this app has none/) });
});

describe("what the OpenAPI document says of answers and requests is true:", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a document of any shape, which is what is tested
  let document: any;
  beforeAll(async () => {
    document = await (await open.app.request("/openapi.json")).json();
  });
  const operation = (method: string, path: string) => document.paths[path.replace(":queue", "{queue}")][method];
  const resolve = (schema: JSONSchema7): JSONSchema7 => {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(schema.$ref ?? "")?.[1];
    return name === undefined ? schema : document.components.schemas[name];
  };
  /** Members and types, all the way down. */
  const expectShape = (value: unknown, schema: JSONSchema7, path = ""): void => {
    const { type, properties = {}, required = [], items, enum: values } = resolve(schema);
    if (type === "object") {
      const names = Object.keys(value as object);
      expect(Object.keys(properties), path).toEqual(expect.arrayContaining(names));
      expect(names, path).toEqual(expect.arrayContaining(required));
      for (const name of names)
        expectShape((value as Record<string, unknown>)[name], properties[name] as JSONSchema7, `${path}.${name}`);
    } else if (type === "array") {
      expect(Array.isArray(value), path).toBe(true);
      for (const item of value as unknown[]) expectShape(item, items as JSONSchema7, `${path}[]`);
    } else if (type === "integer") expect(Number.isInteger(value), path).toBe(true);
    else if (values) expect(values, path).toContain(value);
    else if (type) expect(typeof value, path).toBe(type);
  };

  const BODIES: Readonly<Record<string, unknown>> = {
    removeQueuedJobs: { class: "Add" },
    pruneWorker: { id: WORKER },
    retryFailed: { all: true },
    removeFailed: { class: "Boom" },
    runRetries: { all: true },
    removeRetries: { queue: "mail" },
    cancelDelayed: { class: "Add" },
    rescheduleDelayed: { class: "Add", to: "2099-01-01T00:00Z" },
    setSchedule: { name: "n", schedule: { every: "1h", class: "A", queue: "q" } },
    removeSchedule: { name: "nightly" },
  };

  test.each(ADMIN_ROUTES.map((route) => [route.method, route.path, route.id] as const))(
    "%s %s",
    async (method, path, id) => {
      const { responses, parameters = [], requestBody, operationId } = operation(method, path);
      expect(operationId).toBe(id);
      const where = path.replace(":queue", "a%2Fb%20c");
      const answer = await json(method === "get" ? get(where) : post(where, BODIES[id]));
      expectShape(answer, responses["200"].content["application/json"].schema);
      if (method === "get") {
        expect(requestBody).toBeUndefined();
        for (const { in: place, name } of parameters as { in: string; name: string }[]) {
          if (place !== "query") continue;
          expect((await get(`${where}?${name}=%00`)).status, name).not.toBe(404);
        }
      } else {
        const described = resolve(requestBody.content["application/json"].schema);
        expect(Object.keys(described.properties ?? {})).toEqual(
          expect.arrayContaining(Object.keys((BODIES[id] ?? {}) as object)),
        );
        expect(described.additionalProperties).toBe(false);
      }
    },
  );
});
