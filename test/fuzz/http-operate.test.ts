import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ADMIN_ROUTES } from "../../src/http/admin-routes.ts";
import { type ApiWorld, openApiWorld, TOKEN } from "./api-world.ts";
import { damaged, hostileArray, hostileJson, hostileObject, hostileString, mostly, quoted } from "./hostile-json.ts";
import { fuzzing } from "./settings.ts";

/** Stands in the arguments of jobs that are asked for: no error quotes them. Names and ids it may quote. */
const SECRET = "s3cret-argument";

let world: ApiWorld;
beforeAll(async () => {
  world = await openApiWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const routes = [
  ...ADMIN_ROUTES.map(({ method, path }) => ({ method: method.toUpperCase(), path })),
  ...["GET /status", "GET /drain", "POST /drain", "GET /jobs/:id", "GET /health", "GET /openapi.json"].map((line) => {
    const [method = "", path = ""] = line.split(" ");
    return { method, path };
  }),
];

const segment = mostly(
  fc.constantFrom("q", "mail"),
  fc.constantFrom("%ff", "%zz", "%00", "%0A", "..", "%2e", "*", "!q", "a=2", "__proto__", "a".repeat(3_000)),
  fc.string({ unit: "grapheme", maxLength: 8 }).map(encodeURIComponent),
);
const text = mostly(quoted("0123456789ab", "q", "failed", "q_failed", "Noop", "*"), hostileString);
const instant = mostly(quoted("2026-11-20T18:00:00Z", "9999-12-31T23:59:59Z"), hostileJson);
const args = mostly(fc.constant(`["${SECRET}"]`), hostileJson, fc.constant(`"${SECRET}"`));
const body: fc.Arbitrary<string> = mostly(
  hostileObject({
    ids: mostly(hostileArray(text), hostileJson),
    all: fc.constantFrom("true", "false", "1"),
    class: text,
    queue: text,
    args,
    to: instant,
    at: instant,
    error: text,
    list: text,
    cursor: hostileJson,
    limit: hostileJson,
  }),
  hostileObject({ class: text, queue: text, args }),
  hostileObject({
    name: text,
    schedule: hostileObject({ cron: text, every: text, class: text, queue: text, args }),
  }),
  hostileObject({ id: text, force: fc.constantFrom("true", "0") }),
  hostileObject({ forMs: fc.constantFrom("1", "1e9", "0", "-1", '"5"'), maxJobs: hostileJson, depth: hostileJson }),
  hostileObject({ queue: text }),
  hostileJson,
);
const value = fc.oneof(
  fc.constantFrom("", "0", "-1", "1e3", "9".repeat(30), "newest", "true", "2026-11-20T18:00:00Z", "%00", "%ff"),
  fc.string({ unit: "grapheme", maxLength: 5 }).map(encodeURIComponent),
);
const query = mostly(
  fc.constant(""),
  fc
    .array(
      fc.tuple(
        fc.constantFrom("offset", "limit", "cursor", "class", "since", "order", "forMs", "maxJobs", "__proto__"),
        value,
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((pairs) => `?${pairs.map((pair) => pair.join("=")).join("&")}`),
);
const headers = mostly<Record<string, string>>(
  fc.constant({ "content-type": "application/json" }),
  fc.constantFrom<Record<string, string>>(
    {},
    { "content-type": "text/plain" },
    { "content-type": "application/json", "content-encoding": "br" },
    { "content-type": "application/json", authorization: `Bearer ${SECRET}` },
  ),
);

const PROBLEMS = [400, 401, 404, 405, 413, 415];

test("whatever is asked of the operator's routes, each answers, says what is wrong, quotes nothing, and harms no neighbour", async () => {
  const statuses = new Set<number>();
  const property = fc.asyncProperty(
    fc.constantFrom(...routes),
    segment,
    query,
    damaged(body),
    headers,
    async ({ method, path }, name, asked, bytes, given) => {
      const url = path.replace(/:queue|:id/, name) + asked;
      const init = method === "GET" ? { headers: given } : { method, headers: given, body: new Uint8Array(bytes) };
      const response = await world.request(url, { ...init, signal: AbortSignal.timeout(20_000) });
      const answer = await response.text();
      statuses.add(response.status);
      expect([200, ...PROBLEMS]).toContain(response.status);
      JSON.parse(answer);
      expect(answer).not.toContain(TOKEN);
      if (response.status === 200) return;
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(answer).not.toContain(SECRET);
    },
  );
  const kept = '{"class":"Noop","args":["kept"]}';
  await world.client.command(["RPUSH", "resque:queue:kept", kept]);
  await world.client.command(["RPUSH", "resque:failed", "no entry", `{"payload":${kept},"queue":"kept"}`]);
  await fc.assert(property, fuzzing(600));
  expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 401, 404, 415]));
  expect((await world.queued("kept")).filter((raw) => raw === kept).length).toBeGreaterThan(0);
  await world.enqueueGood("after all that");
  for (const line of world.logged) for (const hidden of [SECRET, TOKEN]) expect(line).not.toContain(hidden);
  expect(world.logged.filter((line) => line.includes("unexpected"))).toEqual([]);
});
