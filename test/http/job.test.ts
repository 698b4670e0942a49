import { afterAll, beforeAll, expect, test } from "vitest";
import { ENQUEUE_TOKEN, NDJSON, OPERATE_TOKEN, type OpenApp, openApp, problemOf } from "./open-app.ts";

let open: OpenApp;
let without: OpenApp;
beforeAll(async () => {
  const job = { class: "Double", perform: ([n]: readonly unknown[]) => ({ doubled: 2n * BigInt(n as number) }) };
  open = await openApp({ airlift: { jobs: [job], status: { ttlMs: 600_000, results: true } } });
  without = await openApp();
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await without[Symbol.asyncDispose]();
});

test("who enqueues is told the ids, and may ask for them; so may who operates", async () => {
  const jobs = [
    { class: "Double", args: [2 ** 52] },
    { class: "Double", args: [1], id: "order:1" },
  ];
  const enqueued = await open.enqueue(jobs);
  expect(enqueued.status).toBe(201);
  const { ids } = (await enqueued.json()) as { ids: string[] };
  expect(ids).toEqual([expect.stringMatching(/^[\da-f-]{36}$/), "order:1"]);
  await open.airlift.drain();
  for (const token of [ENQUEUE_TOKEN, OPERATE_TOKEN]) {
    const headers = { authorization: `Bearer ${token}` };
    const answers = await Promise.all(ids.map((id) => open.request(`/jobs/${encodeURIComponent(id)}`, { headers })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers.map((answer) => answer.headers.get("cache-control"))).toEqual(["no-store", "no-store"]);
    const [first, second] = await Promise.all(answers.map((answer) => answer.text()));
    // Beyond what a double holds, and written as it is.
    expect(first).toMatch(/"state":"done".*"result":\{"doubled":9007199254740992\}/);
    expect(JSON.parse(second ?? "")).toMatchObject({
      id: "order:1",
      state: "done",
      result: { doubled: 2 },
      attempt: 1,
    });
  }
});

test("a line of a stream may bear an id", async () => {
  const response = await open.enqueue('{"class":"Double","args":[3],"id":"line-1"}\n', { type: NDJSON });
  expect(response.status).toBe(201);
  expect(await (await open.request("/jobs/line-1")).json()).toMatchObject({ state: "queued", queue: "mail" });
});

test("of what is not known there is nothing", async () => {
  const response = await open.request("/jobs/nobody");
  expect(response.status).toBe(404);
  expect(await problemOf(response)).toMatchObject({ type: "urn:airlift:problem:not-found" });
});

test("what can be no id is refused, when it is asked for and when it is given", async () => {
  for (const id of ["a%20b", "%C3%A4", "x".repeat(101)]) {
    const response = await open.request(`/jobs/${id}`);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ errors: [{ path: "id" }] });
  }
  const given = await open.enqueue({ class: "Double", args: [1], id: "a b" });
  expect(given.status).toBe(400);
  expect(await problemOf(given)).toMatchObject({ errors: [{ path: "id" }] });
  const twice = await open.enqueue([1, 2].map(() => ({ class: "Double", args: [1], id: "twice" })));
  expect(await problemOf(twice)).toMatchObject({ status: 400, errors: [{ path: "1" }] });
});

test("an app that keeps no status answers with no ids, and refuses those that are given", async () => {
  expect(await (await without.enqueue({ class: "A" })).json()).toEqual({ queue: "mail", enqueued: 1 });
  const given = await without.enqueue({ class: "A", id: "a" });
  expect(given.status).toBe(400);
});

test("without a token nobody asks", async () => {
  const response = await open.app.request("/jobs/order:1");
  expect(response.status).toBe(401);
  const wrong = await open.request("/jobs/order:1", { headers: { authorization: "Bearer wrong" } });
  expect(wrong.status).toBe(401);
});
