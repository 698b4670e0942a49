import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RemoteJobError } from "../../src/core/remote-job-error.ts";
import { payload } from "../conformance/world.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { OPERATE_TOKEN, type OpenApp, openApp, problemOf } from "../http/open-app.ts";
import { setups } from "../support/setups.ts";

// resque-web 3.0 escapes a failure's message, its backtrace and the arguments of jobs; it writes the names of exceptions, classes and queues into its
// pages as they are.
const MARKUP = '<img src=x onerror="alert(1)">';

describe("what resque-web would take for markup", () => {
  let world: AppWorld;
  beforeAll(async () => {
    const [setup] = setups();
    if (!setup) throw new Error("no setup");
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test.each([
    ["an error's name", () => Object.assign(new Error(MARKUP), { name: MARKUP })],
    ["what a receiver says", () => new RemoteJobError({ exception: MARKUP, message: MARKUP, backtrace: [MARKUP] })],
  ])("is not written as the name of an exception: %s", async (_what, making) => {
    await world.push("q", payload(1));
    await world.app({ jobs: [{ class: "Noop", perform: () => Promise.reject(making()) }] }).drain();
    const [entry] = await world.failed();
    expect(entry).toMatchObject({ exception: "_img src=x onerror=_alert(1)__", error: MARKUP });
  });

  test("names of modules, languages and Lambda's own stay", async () => {
    for (const name of ["Net::HTTP::Error", "java.lang.Outer$Inner", "Sandbox.Timedout", "Fehler-für", "E`1[T]"]) {
      await world.flush();
      await world.push("q", payload(1));
      const perform = () => Promise.reject(Object.assign(new Error("m"), { name }));
      await world.app({ jobs: [{ class: "Noop", perform }] }).drain();
      expect(await world.failed()).toMatchObject([{ exception: name }]);
    }
  });
});

describe("over HTTP", () => {
  let open: OpenApp;
  beforeAll(async () => {
    open = await openApp();
  });
  afterAll(() => open[Symbol.asyncDispose]());

  test("no queue is named by markup", async () => {
    const response = await open.enqueue({ class: "Noop" }, { queue: encodeURIComponent(MARKUP) });
    expect(await problemOf(response)).toMatchObject({
      status: 400,
      errors: [{ path: "queue", message: 'must not hold < > or "' }],
    });
  });

  test("no class is", async () => {
    for (const type of ["application/json", "application/x-ndjson"]) {
      const response = await open.enqueue({ class: MARKUP }, { type });
      expect(await problemOf(response)).toMatchObject({
        status: 400,
        errors: [{ path: "class", message: 'must not hold < > or "' }],
      });
    }
    expect(await open.payloads("mail")).toEqual([]);
  });

  test("nor do those who operate bring one in", async () => {
    const post = (path: string, body: object): Promise<Response> =>
      open.request(path, {
        method: "POST",
        headers: { authorization: `Bearer ${OPERATE_TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const retried = await post("/failed/retry", { all: true, toQueue: MARKUP });
    expect(await problemOf(retried)).toMatchObject({
      status: 400,
      errors: [{ path: "toQueue", message: 'must not hold < > or "' }],
    });
    for (const names of [{ queue: MARKUP }, { class: MARKUP }]) {
      const schedule = { every: "1h", class: "Noop", queue: "mail", ...names };
      expect(await problemOf(await post("/schedules", { name: "n", schedule }))).toMatchObject({
        status: 400,
        errors: [{ path: "schedule", message: 'must not hold < > or " in its class or queue' }],
      });
    }
  });

  test("arguments may be any, as they are escaped", async () => {
    expect((await open.enqueue({ class: "Noop", args: [MARKUP] })).status).toBe(201);
  });
});
