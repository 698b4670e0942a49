import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, openApiWorld, TOKEN } from "./api-world.ts";
import { damaged, hostileArray, hostileJson, hostileObject, hostileString, mostly, quoted } from "./hostile-json.ts";
import { fuzzing } from "./settings.ts";

/** Stands in every job that is sent, and must come to light nowhere but in Redis. */
const SECRET = "s3cret-argument";

let world: ApiWorld;
beforeAll(async () => {
  world = await openApiWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const secretArgs = mostly(
  fc.constant(`["${SECRET}"]`),
  hostileArray(hostileJson).map((text) => text.replace(/^\[/, `["${SECRET}"${text === "[]" ? "" : ","}`)),
  fc.constantFrom(`"${SECRET}"`, `{"${SECRET}":1}`, `[["${SECRET}",1.0,1e400,-0,{"__proto__":{"x":1}}]]`),
);
const hostileJob: fc.Arbitrary<string> = fc.oneof(
  {
    arbitrary: hostileObject({ class: mostly(quoted("Noop", "Unique", SECRET), hostileString), args: secretArgs }),
    weight: 8,
  },
  {
    arbitrary: hostileObject({
      class: quoted("Noop", SECRET),
      args: secretArgs,
      at: mostly(
        quoted("2001-01-01T00:00:00Z", "2099-12-31T23:59:60Z", "2099-02-30T00:00Z", "+275760-09-13"),
        hostileJson,
      ),
    }),
    weight: 2,
  },
  {
    arbitrary: hostileObject({
      class: quoted("Noop"),
      in: mostly(quoted("0s", "5m", "999999999999d", "1e3s", "-1s", "1.5h"), hostileJson),
      id: mostly(quoted("id-1", "../x", SECRET), hostileString),
    }),
    weight: 2,
  },
  { arbitrary: hostileJson, weight: 1 },
);
const hostileLines = fc
  .array(fc.tuple(hostileJob, fc.constantFrom("\n", "\n", "\r\n", "\n\n", " \n", "")), { maxLength: 6 })
  .map((lines) => lines.flat().join(""));
const hostileBody: fc.Arbitrary<{ readonly type: string; readonly bytes: Buffer }> = fc.oneof(
  fc.record({ type: fc.constant("application/json"), bytes: damaged(mostly(hostileJob, hostileArray(hostileJob))) }),
  fc.record({ type: fc.constant("application/x-ndjson"), bytes: damaged(hostileLines) }),
);
const hostileType = fc.constantFrom(
  ...["text/plain", "", "application/json; charset=utf-16", "application/JSON;charset=UTF-8", "application/json+x"],
  ...["application/x-ndjson; charset=latin1", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
);
const queueSegment = mostly(
  fc.constant("q"),
  fc.constantFrom(
    "%00",
    "%ff",
    "%2e%2e",
    "a%2Fb",
    "%E2%80%AE",
    "%zz",
    "%20",
    "a".repeat(2_000),
    "__proto__",
    "%F0%9F%9A%80",
  ),
  fc.string({ unit: "grapheme", maxLength: 8 }).map(encodeURIComponent),
);
const hostileHeaders = mostly<Record<string, string>>(
  fc.constant({}),
  fc.constantFrom(
    ...[{ "content-encoding": "gzip" }, { "content-encoding": "identity" }, { "content-encoding": "x".repeat(500) }],
    ...[{ authorization: `Bearer ${TOKEN}x` }, { authorization: "" }, { authorization: `bearer  ${TOKEN}` }],
  ),
);

const rawNumber = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
  typeof value === "number"
    ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(context?.source ?? "")
    : value;

/** The payload of a job that was sent so, by the rules of JSON alone: the last of two members counts, digits stay as they are. */
function payloadOf(text: string): string {
  const { class: name, args = [] } = JSON.parse(text.replace(/^\uFEFF/, ""), rawNumber) as Record<string, unknown>;
  return JSON.stringify({ class: name, args });
}

/** What is in Redis of it: the payloads of all queues, and how many wait for a later time. */
async function stored(): Promise<{ readonly queued: readonly string[]; readonly delayed: number }> {
  const keys = (await world.client.command(["KEYS", "resque:*"])) as string[];
  const lists = (prefix: string) =>
    Promise.all(
      keys
        .filter((key) => key.startsWith(prefix) && key !== "resque:queue:good")
        .map(async (key) => (await world.client.command(["LRANGE", key, 0, -1])) as string[]),
    );
  return { queued: (await lists("resque:queue:")).flat(), delayed: (await lists("resque:delayed:")).flat().length };
}

interface Answer {
  readonly enqueued?: number;
  readonly dropped?: number;
  readonly line?: number;
  readonly title?: string;
  readonly errors?: readonly { readonly message: string }[];
}

test("whatever is sent to be enqueued, what is taken is in Redis as it was sent, and what is refused is not", async () => {
  const taken = { 201: 0 } as Record<number, number>;
  const property = fc.asyncProperty(
    queueSegment,
    hostileBody,
    mostly<string | undefined>(fc.constant(undefined), hostileType),
    hostileHeaders,
    async (segment, { type, bytes }, otherType, others) => {
      await world.client.command(["FLUSHALL"]);
      const headers = { "content-type": otherType ?? type, ...others };
      const response = await world.request(`/queues/${segment}/jobs`, {
        method: "POST",
        headers,
        body: new Uint8Array(bytes),
      });
      const text = await response.text();
      taken[response.status] = (taken[response.status] ?? 0) + 1;
      expect([201, 400, 401, 404, 413, 415]).toContain(response.status);
      const answer = JSON.parse(text) as Answer;
      const { queued, delayed } = await stored();
      expect(queued.length + delayed).toBe(answer.enqueued ?? 0);
      if (response.status !== 201) {
        expect(response.headers.get("content-type")).toBe("application/problem+json");
        expect(text).not.toContain(SECRET);
        expect(answer.title).not.toBe("");
      }
      expect(text).not.toContain(TOKEN);
      if (type === "application/json" && response.status !== 201) expect(queued.length + delayed).toBe(0);
      if (response.status !== 201 && queued.length === 0) return;
      const body = bytes.toString("utf8");
      const jobs =
        type === "application/x-ndjson"
          ? body.split("\n").filter((line) => !/^[ \t\r]*$/.test(line))
          : [JSON.parse(body.replace(/^\uFEFF/, ""), rawNumber) as unknown].flat().map((job) => JSON.stringify(job));
      if (response.status === 201) expect(queued.length + delayed + (answer.dropped ?? 0)).toBe(jobs.length);
      if (delayed > 0 || (answer.dropped ?? 0) > 0) return;
      const sent = jobs.slice(0, queued.length).map(payloadOf);
      // A lock's id is Airlift's own.
      expect(queued.map((payload) => payload.replace(/,"airlift":\{"unique":"[^"]*"\}/, ""))).toEqual(sent);
    },
  );
  await fc.assert(property, fuzzing(500));
  // The property says nothing if all is refused.
  expect(taken[201]).toBeGreaterThan(50);
  expect(taken[400]).toBeGreaterThan(50);
  await world.enqueueGood("after all that");
  for (const line of world.logged) for (const hidden of [SECRET, TOKEN]) expect(line).not.toContain(hidden);
  expect(world.logged).toEqual([]);
});
