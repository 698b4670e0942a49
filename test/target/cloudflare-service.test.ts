import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import type { AnyJobDefinition } from "../../src/core/registry.ts";
import { createJobFunction } from "../../src/job-function/job-function.ts";
import { toJobMethod, toJobWorker } from "../../src/platform/cloudflare.ts";
import { type ServiceBinding, type ServiceBindingOptions, serviceBinding } from "../../src/target/cloudflare.ts";
import { payloads } from "../conformance/world.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";

let world: AppWorld;
beforeAll(async () => {
  world = await openAppWorld(setups()[0] as never);
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.flush());

const RAW = '{"class":"Noop","args":[1,"é",12345678901234567890]}';
const context = { waitUntil: () => undefined };

/** As the runtime hands on what another Worker has thrown. */
const remote = (name: string, message: string): Error => Object.assign(new Error(message), { name, remote: true });

async function run(
  binding: Partial<ServiceBinding> | undefined,
  options: ServiceBindingOptions = {},
  definition: Partial<AnyJobDefinition> = {},
) {
  await world.push("q", RAW);
  const perform = serviceBinding(() => binding as ServiceBinding, options);
  const report = await world.app({ jobs: [{ class: "Noop", perform, ...definition }] }).drain();
  const [failed] = await world.failed();
  const [waiting] = Object.keys((await world.everything())[world.keys.retries] ?? {});
  return { report, failed, waiting: waiting === undefined ? undefined : JSON.parse(waiting) };
}

const answering = (status: number, body = "", headers: Record<string, string> = {}): ServiceBinding => ({
  fetch: async () => new Response(status === 204 ? null : body, { status, headers }),
});
const throwing = (error: unknown): ServiceBinding => ({ fetch: () => Promise.reject(error) });
const JSON_TYPE = { "content-type": "application/json" };

describe("a service binding: what the Worker does, and what becomes of the job", () => {
  test.each([
    ["answers 200", answering(200, "thanks"), { succeeded: 1 }],
    ["answers 204", answering(204), { succeeded: 1 }],
    ["answers JSON of its own", answering(200, '{"id":7}', JSON_TYPE), { succeeded: 1 }],
    ["answers 302", answering(302, "", { location: "https://example.com" }), { failed: 1 }],
    ["answers 404", answering(404, "no such route", { "content-type": "text/plain" }), { failed: 1 }],
    ["answers 408", answering(408), { retried: 1 }],
    ["answers 429", answering(429), { retried: 1 }],
    ["answers 503", answering(503), { retried: 1 }],
    ["throws", throwing(remote("TooSmall", "no pixels")), { failed: 1 }],
    ["is ended by Cloudflare", throwing(new Error("Worker exceeded CPU time limit.")), { retried: 1 }],
    ["does not end", throwing(new Error("The script will never generate a response.")), { retried: 1 }],
  ] as const)("%s", async (_, binding, expected) => {
    const { report } = await run(binding);
    expect(report).toMatchObject({ succeeded: 0, failed: 0, retried: 0, released: 0, ...expected });
  });

  test("its error is the failed entry's, and the class's retries know it by its name", async () => {
    const { failed } = await run(throwing(remote("TooSmall", "no pixels")));
    expect(failed).toMatchObject({ exception: "TooSmall", error: "no pixels", backtrace: [] });
    await world.flush();
    const retry = { limit: 3, rules: [{ error: "TooSmall", action: "retry" as const }] };
    expect((await run(throwing(remote("TooSmall", "no pixels")), {}, { retry })).report).toMatchObject({ retried: 1 });
  });

  test("an answer that refuses it is an HttpError that tells it", async () => {
    const { failed } = await run(answering(422, "width: expected a number", { "content-type": "text/plain" }));
    const error = "the service binding answered HTTP 422: width: expected a number";
    expect(failed).toMatchObject({ exception: "HttpError", error });
  });

  test("Retry-After is heeded", async () => {
    const before = Date.now();
    const { waiting } = await run(answering(429, "", { "retry-after": "120" }));
    expect(waiting).toMatchObject({ attempt: 2, error: "the service binding answered HTTP 429" });
    const [score] = Object.values((await world.everything())[world.keys.retries] as Record<string, string>);
    expect(Number(score) - before).toBeGreaterThan(119_000);
  });

  test.each([
    "Too many subrequests by single Worker invocation.",
    "Too many API requests by single worker invocation.",
  ])("%s: the job waits, no attempt counted", async (message) => {
    const { report, waiting } = await run(throwing(new Error(message)));
    expect(report).toMatchObject({ retried: 0, failed: 0, released: 1 });
    expect(waiting).toMatchObject({ attempt: 1, payload: JSON.parse(RAW) });
  });

  test.each([undefined, {}, { send: () => undefined }])(
    "a binding that is none (%o) fails the job",
    async (binding) => {
      const { failed } = await run(binding as never);
      expect(failed).toMatchObject({
        exception: "UsageError",
        error: /expected the binding of a service.*wrangler\.jsonc/,
      });
    },
  );

  test("one that takes longer than the class's time limit is aborted", async () => {
    let reason: unknown;
    const hanging: ServiceBinding = {
      fetch: (_url, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener("abort", () => {
            reason = init.signal?.reason;
            reject(reason);
          });
        }),
    };
    const { failed } = await run(hanging, {}, { timeoutMs: 50 });
    expect(failed).toMatchObject({ exception: "TimeoutError" });
    expect(reason).toMatchObject({ name: "TimeoutError" });
  });
});

describe("a method of an entrypoint", () => {
  const calling = (perform: (message: unknown) => unknown): ServiceBinding =>
    ({ fetch: () => Promise.reject(new Error("not asked for")), perform }) as never;

  test.each([
    ["returns nothing", (): unknown => undefined, { succeeded: 1 }],
    ["returns something", async () => ({ id: 7 }), { succeeded: 1 }],
    ["throws", () => Promise.reject(remote("TooSmall", "no pixels")), { failed: 1 }],
    [
      "is none",
      () => Promise.reject(remote("TypeError", 'The RPC receiver does not implement "perform".')),
      { failed: 1 },
    ],
    ["is ended by Cloudflare", () => Promise.reject(new Error("Worker exceeded memory limit.")), { retried: 1 }],
  ] as const)("%s", async (_, perform, expected) => {
    const { report } = await run(calling(perform), { method: "perform" });
    expect(report).toMatchObject({ succeeded: 0, failed: 0, retried: 0, ...expected });
  });

  test("is given the message, as it is", async () => {
    const messages: unknown[] = [];
    await run(
      calling((message) => void messages.push(message)),
      { method: "perform" },
    );
    const job = {
      queue: "q",
      class: "Noop",
      args: [1, "é", 12345678901234567890n],
      payload: RAW,
      attempt: 1,
      retries: 0,
    };
    expect(messages).toEqual([{ airlift: 1, job, deadlineMs: expect.any(Number) }]);
  });
});

describe("Airlift's own receiver", () => {
  const jobs = [
    {
      class: "Noop",
      perform: ([n]: readonly unknown[]) => {
        if (n === 2) throw Object.assign(new Error("no pixels"), { name: "TooSmall" });
      },
    },
  ];
  const worker = toJobWorker<object>(createJobFunction({ jobs }));
  const method = toJobMethod<object>(createJobFunction({ jobs }));
  const byFetch = { fetch: (url, init) => worker.fetch(new Request(url, init), {}, context) } as ServiceBinding;
  const byMethod = { fetch: () => Promise.reject(), perform: (m: unknown) => method(m, {}, context) } as never;

  test.each([
    ["by fetch", byFetch, {}],
    ["by a method", byMethod, { method: "perform" }],
    ["in batches", byFetch, { batch: { size: 2, maxWaitMs: 20 } }],
    ["in batches, by a method", byMethod, { method: "perform", batch: { size: 10, maxWaitMs: 5 } }],
  ] as const)("%s: each job ends as its handler says", async (_, binding, options) => {
    await world.push("q", ...payloads(4));
    const perform = serviceBinding(() => binding, options as never);
    const report = await world.app({ jobs: [{ class: "Noop", perform }] }).drain();
    expect(report).toMatchObject({ succeeded: 3, failed: 1 });
    expect(await world.failed()).toMatchObject([{ exception: "TooSmall", error: "no pixels", payload: { args: [2] } }]);
  });

  test("is closed to the internet", async () => {
    const init = { method: "POST", headers: { "cf-connecting-ip": "192.0.2.1" }, body: "{}" };
    expect((await worker.fetch(new Request("https://w.test/", init), {}, context)).status).toBe(403);
  });

  test.each([
    ["GET", undefined, 405],
    ["POST", "{", 400],
    ["POST", "{}", 400],
    ["POST", '{"airlift":2,"job":{"class":"Noop"}}', 400],
  ])("%s %s is answered %i", async (verb, body, status) => {
    const answer = await worker.fetch(
      new Request("https://w.test/", { method: verb, body: body ?? null }),
      {},
      context,
    );
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });
});

describe("what a drain counts", () => {
  test("one request and one call of a Worker for each job, and no connection", async () => {
    await world.push("q", ...payloads(40));
    let running = 0;
    let most = 0;
    const binding: ServiceBinding = {
      async fetch() {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 10));
        running--;
        return new Response(null, { status: 204 });
      },
    };
    const app = world.app({ jobs: [{ class: "Noop", perform: serviceBinding(() => binding) }], concurrency: 12 });
    const report = await app.drain({ maxInvocations: 31, maxConnections: 6 });
    expect(report).toMatchObject({ stopped: "budget", succeeded: 31, remaining: 9 });
    expect(most).toBe(12);
  });

  test("one for each batch", async () => {
    await world.push("q", ...payloads(200));
    let calls = 0;
    const binding: ServiceBinding = {
      fetch: async () => {
        calls++;
        return new Response(null, { status: 204 });
      },
    };
    const perform = serviceBinding(() => binding, { batch: { size: 10, maxWaitMs: 5 } });
    const report = await world.app({ jobs: [{ class: "Noop", perform }] }).drain({ maxInvocations: 31 });
    expect(report).toMatchObject({ stopped: "empty", succeeded: 200 });
    expect(calls).toBeLessThanOrEqual(31);
  });
});

test.each([
  ["nothing", [undefined], /expected a function, as \(\) => env\.IMAGES, got undefined/],
  ["the binding itself", [{ fetch: () => undefined }], /expected a function.*got object/],
  ["another option", [() => ({}), { url: "/" }], /url: unknown option/],
  ["a path that is none", [() => ({}), { path: "jobs" }], /path: expected one that begins with a slash, got "jobs"/],
  ["a path to elsewhere", [() => ({}), { path: "//evil.test" }], /path: expected/],
  ["a method that is none", [() => ({}), { method: "a b" }], /method: expected a method's name, got "a b"/],
  ["both", [() => ({}), { path: "/", method: "perform" }], /method: expected none beside path/],
  ["a batch without a size", [() => ({}), { batch: { maxWaitMs: 5 } }], /serviceBinding: batch\.size/],
])("%s is refused", (_, args, message) => {
  const make = () => serviceBinding(...(args as unknown as Parameters<typeof serviceBinding>));
  expect(make).toThrow(UsageError);
  expect(make).toThrow(message);
});
