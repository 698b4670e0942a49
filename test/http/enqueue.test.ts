import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineJob } from "../../src/core/job.ts";
import { NDJSON, type OpenApp, openApp, problemOf, streamOf } from "./open-app.ts";

const BAD_TIME = 'must be a time such as "2026-11-20T18:00:00Z", with its offset';
const BAD_DURATION = 'must be a duration such as "30s", "5m" or "7d"';

let open: OpenApp;
beforeAll(async () => {
  open = await openApp();
});
beforeEach(async () => {
  await open.client.command(["FLUSHALL"]);
});
afterAll(() => open[Symbol.asyncDispose]());

describe("jobs that are accepted", () => {
  test("one job lies in its queue in Ruby Resque's exact JSON, and the queue is registered", async () => {
    const response = await open.enqueue({ class: "SendEmail", args: ["a@b.c", { x: [1, null, true] }] });
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ queue: "mail", enqueued: 1 });
    expect(await open.payloads("mail")).toEqual(['{"class":"SendEmail","args":["a@b.c",{"x":[1,null,true]}]}']);
    expect(await open.client.command(["SMEMBERS", "resque:queues"])).toEqual(["mail"]);
  });

  test("args may be left out", async () => {
    expect((await open.enqueue({ class: "A" })).status).toBe(201);
    expect(await open.payloads("mail")).toEqual(['{"class":"A","args":[]}']);
  });

  test("an array is enqueued in its order", async () => {
    const response = await open.enqueue([{ class: "A", args: [1] }, { class: "B" }, { class: "A", args: [2] }]);
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ queue: "mail", enqueued: 3 });
    expect(await open.payloads("mail")).toEqual([
      '{"class":"A","args":[1]}',
      '{"class":"B","args":[]}',
      '{"class":"A","args":[2]}',
    ]);
  });

  test("an empty array enqueues nothing and is no error", async () => {
    const response = await open.enqueue([]);
    expect([response.status, await response.json()]).toEqual([201, { queue: "mail", enqueued: 0 }]);
    expect(await open.client.command(["KEYS", "*"])).toEqual([]);
  });

  test.each(["application/json", NDJSON])("args reach the queue byte for byte (%s)", async (type) => {
    const args =
      '[12345678901234567890,-9007199254740993,1.0,0.10,1e400,-0,{"__proto__":{"a":1},"é":"\u2028<&>"},[],{}]';
    expect((await open.enqueue(`{"class":"A","args":${args}}`, { type })).status).toBe(201);
    expect(await open.payloads("mail")).toEqual([`{"class":"A","args":${args}}`]);
  });

  test.each([
    ["a%2Fb%20c", "a/b c"],
    ["caf%C3%A9%3A1", "café:1"],
    ["100%25", "100%"],
    ["a%252Fb", "a%2Fb"],
    ["img-*", "img-*"],
  ])("the queue %s is %s", async (encoded, queue) => {
    const response = await open.enqueue({ class: "A" }, { queue: encoded });
    expect([response.status, await response.json()]).toEqual([201, { queue, enqueued: 1 }]);
    expect(await open.payloads(queue)).toHaveLength(1);
  });

  test.each(["application/json; charset=utf-8", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"'])(
    "as %s",
    async (type) => {
      expect((await open.enqueue({ class: "A" }, { type })).status).toBe(201);
    },
  );

  test("in chunks without a length", async () => {
    const body = streamOf(["[", '{"class":"A"', "}]"]);
    const headers = { "content-type": "application/json" };
    const response = await open.request("/queues/q/jobs", {
      method: "POST",
      headers,
      body,
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(201);
  });
});

describe("jobs that are refused with 400, nothing being enqueued", () => {
  const deep = (levels: number) => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
  test.each([
    ["no class", {}, [{ path: "class", message: "is required" }]],
    ["an empty class", { class: "" }, [{ path: "class", message: "must not be empty" }]],
    ["a class that is a number", { class: 12 }, [{ path: "class", message: "must be a string" }]],
    ["a class that is null", { class: null }, [{ path: "class", message: "must be a string" }]],
    ["args that are an object", { class: "A", args: {} }, [{ path: "args", message: "must be an array" }]],
    ["args that are null", { class: "A", args: null }, [{ path: "args", message: "must be an array" }]],
    [
      "another member",
      { class: "A", arguments: [] },
      [{ path: "arguments", message: "is not a member of a job; a job has class and args, and may have at, in or id" }],
    ],
    [
      "a member that every object inherits",
      '{"class":"A","__proto__":{"args":[1]}}',
      [{ path: "__proto__", message: "is not a member of a job; a job has class and args, and may have at, in or id" }],
    ],
    [
      "nesting that Ruby cannot read",
      { class: "A", args: deep(100) },
      [{ path: "args", message: "must not be nested deeper than 99 levels" }],
    ],
    ["a time without its offset", { class: "A", at: "2026-11-20T18:00:00" }, [{ path: "at", message: BAD_TIME }]],
    ["a day that is none", { class: "A", at: "2026-02-30T18:00:00Z" }, [{ path: "at", message: BAD_TIME }]],
    ["a time that is a number", { class: "A", at: 1_795_206_569 }, [{ path: "at", message: "must be a string" }]],
    ["a delay that is none", { class: "A", in: "soon" }, [{ path: "in", message: BAD_DURATION }]],
    ["a delay below nothing", { class: "A", in: "-5m" }, [{ path: "in", message: BAD_DURATION }]],
    ["a delay without end", { class: "A", in: "99999999999d" }, [{ path: "in", message: "must be at most 36500d" }]],
    ["a delay that is a number", { class: "A", in: 60 }, [{ path: "in", message: "must be a string" }]],
    [
      "a time and a delay",
      { class: "A", at: "2026-11-20T18:00:00Z", in: "5m" },
      [{ path: "in", message: "must not stand beside at" }],
    ],
    ["a text", '"A"', [{ path: "", message: "must be an object with class and args" }]],
    ["null", "null", [{ path: "", message: "must be an object with class and args" }]],
    ["an array of arrays", [[]], [{ path: "0", message: "must be an object with class and args" }]],
    [
      "two errors in one job",
      { args: 1 },
      [
        { path: "class", message: "is required" },
        { path: "args", message: "must be an array" },
      ],
    ],
    [
      "errors in an array, by index",
      [{ class: "A" }, { class: 1 }, { class: "A", args: 2 }],
      [
        { path: "1.class", message: "must be a string" },
        { path: "2.args", message: "must be an array" },
      ],
    ],
    ["what is not JSON", '{"class":"A",}', [{ path: "", message: "is not valid JSON (at character 14)" }]],
    ["an empty body", "", [{ path: "", message: "is empty; a job or an array of jobs is expected" }]],
    ["invalid UTF-8", Uint8Array.of(0x22, 0xff, 0x22), [{ path: "", message: "is not valid UTF-8" }]],
  ])("%s", async (_name, body, errors) => {
    const problem = await problemOf(await open.enqueue(body));
    expect(problem).toMatchObject({ type: "urn:airlift:problem:invalid-request", status: 400, errors });
    expect(problem["detail"]).toMatch(/Nothing was enqueued\.$/);
    expect(await open.client.command(["KEYS", "*"])).toEqual([]);
  });

  test("nesting that Ruby can just read is accepted", async () => {
    expect((await open.enqueue({ class: "A", args: deep(99) })).status).toBe(201);
  });

  test("of many errors in an array, the first are told", async () => {
    const problem = await problemOf(await open.enqueue(Array.from({ length: 1_000 }, () => ({}))));
    expect(problem["errors"]).toHaveLength(20);
  });

  test("no answer quotes what was sent", async () => {
    for (const body of ['{"class":"A","args":"s3cret"}', '{"class":"A", s3cret', "s3cret", '{"class":["s3cret"]}']) {
      for (const type of ["application/json", NDJSON]) {
        const response = await open.enqueue(body, { type });
        expect(response.status).toBe(400);
        expect(await response.text()).not.toContain("s3cret");
      }
    }
  });
});

describe("jobs for later", () => {
  const schedule = async (): Promise<Record<string, string[]>> => {
    const names = (await open.client.command(["KEYS", "resque:delayed:*"])) as string[];
    const lists = names.map(async (name) => [
      name.slice("resque:delayed:".length),
      await open.client.command(["LRANGE", name, 0, -1]),
    ]);
    return Object.fromEntries(await Promise.all(lists));
  };

  test("at a time, as resque-scheduler keeps them", async () => {
    const jobs = ["2099-11-20T18:50:57Z", "2099-11-20T19:50:57.999+01:00"].map((at, n) => ({
      class: "A",
      args: [n],
      at,
    }));
    const response = await open.enqueue(jobs);
    expect([response.status, await response.json()]).toEqual([201, { queue: "mail", enqueued: 2 }]);
    const seconds = String(Date.UTC(2099, 10, 20, 18, 50, 57) / 1_000);
    expect(await schedule()).toEqual({
      [seconds]: ['{"class":"A","args":[0],"queue":"mail"}', '{"class":"A","args":[1],"queue":"mail"}'],
    });
    expect(await open.payloads("mail")).toEqual([]);
  });

  test.each(["application/json", NDJSON])("in a time, numbers kept as they are written (%s)", async (type) => {
    const before = Math.floor(Date.now() / 1_000);
    expect((await open.enqueue('{"class":"A","args":[1.0],"in":"1.5h"}', { type })).status).toBe(201);
    const [[seconds, items] = []] = Object.entries(await schedule());
    expect(Number(seconds) - before).toBeGreaterThanOrEqual(5_400);
    expect(Number(seconds) - before).toBeLessThan(5_410);
    expect(items).toEqual(['{"class":"A","args":[1.0],"queue":"mail"}']);
  });

  test("at a time that has passed, at once", async () => {
    await open.enqueue({ class: "A", at: "2001-01-01T00:00Z" });
    expect(await open.payloads("mail")).toEqual(['{"class":"A","args":[]}']);
  });
});

describe("jobs of classes that the app defines", () => {
  let defined: OpenApp;
  beforeAll(async () => {
    const jobs = [
      defineJob({ class: "Ship", args: z.tuple([z.int()]), unique: { until: "start" }, perform: () => undefined }),
      defineJob({ class: "Kept", status: { ttlMs: 60_000 }, perform: () => undefined }),
      defineJob<[string, string]>({
        class: "Notify",
        unique: { until: "start", key: ([user]) => user, onConflict: "replace" },
        perform: () => undefined,
      }),
    ];
    defined = await openApp({ airlift: { jobs } });
  });
  beforeEach(async () => {
    await defined.client.command(["FLUSHALL"]);
  });
  afterAll(() => defined[Symbol.asyncDispose]());
  const ndjson = (...jobs: unknown[]): Promise<Response> =>
    defined.enqueue(jobs.map((job) => `${JSON.stringify(job)}\n`).join(""), { type: NDJSON });
  const ship = (...args: unknown[]) => ({ class: "Ship", args });

  test("what was there already, and what was replaced, is counted", async () => {
    const jobs = [
      ship(1),
      ship(1),
      ship(2),
      { class: "Notify", args: ["a", "x"] },
      { class: "Notify", args: ["a", "y"] },
    ];
    const counts = { queue: "mail", enqueued: 3, replaced: 1, dropped: 1 };
    expect(await (await defined.enqueue(jobs)).json()).toEqual(counts);
    await defined.client.command(["FLUSHALL"]);
    expect(await (await ndjson(...jobs)).json()).toEqual(counts);
    expect(await defined.payloads("mail")).toHaveLength(3);
  });

  test("ids are told of jobs whose status is kept", async () => {
    const answer = (await (await defined.enqueue([ship(1), { class: "Kept" }])).json()) as { ids: (string | null)[] };
    expect(answer.ids).toEqual([null, expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    expect(await defined.airlift.job(answer.ids[1] as string)).toMatchObject({ state: "queued", class: "Kept" });
  });

  test("what the schema refuses is told by index and path, and nothing is enqueued", async () => {
    const problem = await problemOf(await defined.enqueue([ship(1), ship("s3cret")]));
    expect(problem).toMatchObject({ status: 400, errors: [{ path: "1" }] });
    expect(problem["detail"]).toMatch(/args\[0\]/);
    expect(problem["detail"]).not.toContain("s3cret");
    expect(await defined.client.command(["KEYS", "*"])).toEqual([]);
    expect(await problemOf(await defined.enqueue(ship(1.5)))).toMatchObject({ status: 400, errors: [{ path: "" }] });
  });

  test("what the schema refuses ends a stream at its line: the jobs before it are enqueued, none after it is", async () => {
    const problem = await problemOf(await ndjson(ship(1), ship(2), ship("x"), ship(3)));
    expect(problem).toMatchObject({ status: 400, line: 3, enqueued: 2, errors: [{ path: "" }] });
    expect((await defined.payloads("mail")).map((raw) => JSON.parse(raw).args)).toEqual([[1], [2]]);
  });
});

describe("queues that are refused", () => {
  test.each([
    ["a%00b", "must not hold control characters"],
    ["a%0Ab", "must not hold control characters"],
    ["%C2%85", "must not hold control characters"],
    ["%20", "must not be empty"],
    ["%FF", "is not valid percent-encoded UTF-8"],
    ["a%ZZ", "is not valid percent-encoded UTF-8"],
  ])("%s %s", async (queue, message) => {
    const response = await open.enqueue({ class: "A" }, { queue });
    expect(await problemOf(response)).toMatchObject({ status: 400, errors: [{ path: "queue", message }] });
  });

  test("none at all is no route", async () => {
    expect(await problemOf(await open.enqueue({ class: "A" }, { queue: "" }))).toMatchObject({ status: 404 });
  });
});

describe("bodies that cannot be read are answered with 415, naming what can", () => {
  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=latin1",
    "application/jsonl",
  ])("%s", async (type) => {
    const problem = await problemOf(await open.enqueue({ class: "A" }, { type }));
    expect(problem).toMatchObject({ type: "urn:airlift:problem:unsupported-media-type", status: 415 });
    expect(problem["detail"]).toMatch(/application\/json .* application\/x-ndjson/);
  });

  test("no type", async () => {
    const body = new TextEncoder().encode('{"class":"A"}');
    expect((await open.request("/queues/q/jobs", { method: "POST", body })).status).toBe(415);
  });

  test.each(["application/json", NDJSON])("gzip, as %s", async (type) => {
    const headers = { "content-type": type, "content-encoding": "gzip" };
    const response = await open.request("/queues/q/jobs", { method: "POST", headers, body: '{"class":"A"}' });
    expect(response.headers.get("accept-encoding")).toBe("identity");
    expect((await problemOf(response))["status"]).toBe(415);
    const plain = { ...headers, "content-encoding": "identity" };
    expect(
      (await open.request("/queues/q/jobs", { method: "POST", headers: plain, body: '{"class":"A"}' })).status,
    ).toBe(201);
  });
});

test("a JSON body over the limit is answered with 413, with a length and without one", async () => {
  await using small = await openApp({ http: { tokens: { enqueue: "t" }, maxBodyBytes: 20 } });
  const send = (body: string, headers: Record<string, string>, stream: boolean) =>
    small.app.request("/queues/q/jobs", {
      method: "POST",
      headers: { authorization: "Bearer t", "content-type": "application/json", ...headers },
      body: stream ? streamOf([body]) : body,
      duplex: "half",
    } as RequestInit);
  const fits = '{"class":"ABCDEFGH"}';
  for (const isStream of [false, true]) {
    const length = (text: string): Record<string, string> =>
      isStream ? {} : { "content-length": String(text.length) };
    expect((await send(fits, length(fits), isStream)).status).toBe(201);
    const tooLarge = await problemOf(await send(`${fits} `, length(`${fits} `), isStream));
    expect(tooLarge).toMatchObject({ type: "urn:airlift:problem:too-large", status: 413 });
    expect(tooLarge["detail"]).toContain("20 bytes");
  }
  expect(await small.payloads("q")).toHaveLength(2);
});

describe("allow-lists", () => {
  let limited: OpenApp;
  beforeAll(async () => {
    limited = await openApp({ http: { tokens: { enqueue: "enqueue-token" }, queues: ["mail"], classes: ["A", "B"] } });
  });
  afterAll(() => limited[Symbol.asyncDispose]());

  test("let pass what they name", async () => {
    expect((await limited.enqueue([{ class: "A" }, { class: "B" }])).status).toBe(201);
  });

  test("refuse another queue with 403", async () => {
    const response = await limited.enqueue({ class: "A" }, { queue: "mails" });
    const errors = [{ path: "queue", message: "may not be enqueued to here" }];
    expect(await problemOf(response)).toMatchObject({ type: "urn:airlift:problem:forbidden", status: 403, errors });
    expect(await limited.payloads("mails")).toEqual([]);
  });

  test("refuse another class with 403, and the whole array with it", async () => {
    const before = await limited.payloads("mail");
    const response = await limited.enqueue([{ class: "A" }, { class: "a" }]);
    const errors = [{ path: "1.class", message: "may not be enqueued here" }];
    expect(await problemOf(response)).toMatchObject({ status: 403, errors });
    expect(await limited.payloads("mail")).toEqual(before);
  });
});
