import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import {
  type ActiveJobContext,
  type ActiveJobInfo,
  activeJob,
  activeJobRequest,
  activeJobsWith,
  GlobalId,
  keywords,
  RubyTime,
} from "../../src/active-job/active-job.ts";
import type { JobContext } from "../../src/core/job.ts";
import { defineJob } from "../../src/core/job.ts";
import { defineMiddleware, type Next } from "../../src/core/middleware.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { expectedValues } from "./expected-values.ts";
import { moneySerializer, readFixture, readFixtures, VERSIONS } from "./fixtures.ts";

describe.each(setups())("Active Jobs over $name", (setup) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const push = async (...raws: string[]): Promise<void> => {
    for (const raw of raws) await world.push("q", raw);
  };
  test.each(VERSIONS)("payloads of Rails %s run, each under the class of its job", async (version) => {
    const fixtures = readFixtures(version);
    const seen = new Map<string, unknown>();
    const jobs = ["ExampleJob", "CountedJob", "FlakyJob", "ImportJob"].map((name) =>
      activeJob(
        {
          class: name,
          perform: (args, job) => {
            expect(job.class).toBe(name);
            seen.set(job.raw, args);
          },
        },
        { serializers: [moneySerializer] },
      ),
    );
    await push(...fixtures.map(({ raw }) => raw));
    const report = await world.app({ jobs }).drain();
    expect(report).toMatchObject({ stopped: "empty", claimed: fixtures.length, succeeded: fixtures.length, failed: 0 });
    for (const { name, raw } of fixtures.filter((each) => each.name !== "odd keys")) {
      expect(seen.get(raw), name).toStrictEqual(expectedValues(version, name));
    }
    expect(seen.size).toBe(fixtures.length);
    await world.expectNoTraces();
  });

  test("a handler is told what Rails wrote of the job, and attempts go on from Rails' executions", async () => {
    const told: { attempt: number; activeJob: ActiveJobInfo }[] = [];
    const job = activeJob({
      class: "FlakyJob",
      perform: (_args, { attempt, context }) => {
        told.push({ attempt, activeJob: context.activeJob });
      },
    });
    const fixture = readFixture("8.1", "the third retry");
    await push(fixture.raw, readFixture("8.1", "before a retry").raw);
    await world.app({ jobs: [job], concurrency: 1 }).drain();
    expect(told.map(({ attempt }) => attempt)).toEqual([4, 1]);
    expect(told[0]?.activeJob).toStrictEqual({
      jobId: "00000000-0000-4000-8000-000000000040",
      queueName: "flaky",
      priority: undefined,
      executions: 3,
      exceptionExecutions: { "[IOError, ArgumentError]": 2, "[KeyError]": 1 },
      locale: "en",
      timezone: undefined,
      enqueuedAt: new RubyTime("2026-11-18T11:06:40.255000000Z"),
      scheduledAt: new RubyTime("2026-11-18T11:08:10.255000000Z"),
      data: fixture.data,
    });
  });

  test("what Rails did not write is not told, and breaks nothing", async () => {
    const told: ActiveJobInfo[] = [];
    const job = activeJob({ class: "A", perform: (_args, { context }) => void told.push(context.activeJob) });
    const strange = {
      priority: "high",
      executions: "2",
      exception_executions: { a: "b" },
      enqueued_at: "now",
      locale: 1,
    };
    await push(
      JSON.stringify(request("A", [], strange)),
      JSON.stringify(request("A", [], { exception_executions: null })),
    );
    expect(await world.app({ jobs: [job], concurrency: 1 }).drain()).toMatchObject({ succeeded: 2 });
    expect(told[0]).toMatchObject({
      executions: 0,
      exceptionExecutions: {},
      priority: undefined,
      enqueuedAt: undefined,
    });
    expect(told[1]).toMatchObject({ exceptionExecutions: {} });
  });

  test("arguments that cannot be read fail the job at once, whatever its retry policy", async () => {
    const job = activeJob({ class: "A", retry: { limit: 5 }, perform: () => expect.unreachable() });
    await push(
      JSON.stringify(request("A", [{ _aj_serialized: "MoneySerializer", cents: 1 }])),
      '{"class":"A","args":[1]}',
    );
    expect(await world.app({ jobs: [job], concurrency: 1 }).drain()).toMatchObject({
      claimed: 2,
      failed: 2,
      retried: 0,
    });
    const [unknown, plain] = await world.failed();
    expect(unknown?.exception).toBe("InvalidArgumentsError");
    expect(unknown?.error).toContain('arguments[0]: the serializer "MoneySerializer" is not known');
    expect(plain?.exception).toBe("InvalidArgumentsError");
    expect(plain?.error).toContain("the class A is Active Job's, but the payload is not one that Rails' adapter wrote");
  });

  test("a class that is not defined by activeJob does not get Rails' data for arguments", async () => {
    const job = defineJob({ class: "ExampleJob", perform: () => expect.unreachable() });
    await push(readFixture("8.1", "scalars").raw);
    expect(await world.app({ jobs: [job] }).drain()).toMatchObject({ failed: 1 });
    expect((await world.failed())[0]?.error).toContain('activeJob() of "airlift/active-job"');
  });

  test("a failed attempt waits in Rails' own bytes, but for Airlift's member at the end", async () => {
    const attempts: number[] = [];
    const job = activeJob({
      class: "FlakyJob",
      retry: { limit: 9, backoff: [60_000] },
      perform: (_args, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error("not yet");
      },
    });
    const { raw } = readFixture("8.1", "the first retry");
    await push(raw);
    const app = world.app({ jobs: [job] });
    await app.drain();
    const waiting = Object.keys(((await world.everything())[world.keys.retries] ?? {}) as object);
    expect(waiting).toHaveLength(1);
    expect(waiting[0]).toContain(`"payload":${raw.slice(0, -1)},"airlift":{"retries":1}}`);
    await world.send(["ZADD", world.keys.retries, 1, String(waiting[0])]);
    await app.drain();
    expect(attempts).toEqual([2, 3]);
  });

  test("enqueue writes what Rails runs, and what it writes runs here", async () => {
    const ran: unknown[] = [];
    const invoice = activeJob(
      {
        class: "InvoiceJob",
        queue: "q",
        args: z.tuple([z.instanceof(GlobalId), z.object({ format: z.string() })]),
        unique: { until: "done", key: ([{ gid }]) => gid },
        perform: ([{ modelId }, { format }], job) => void ran.push([modelId, format, job.context.activeJob.locale]),
      },
      { locale: "de" },
    );
    const app = world.app({ jobs: [invoice] });
    const id = GlobalId.of({ app: "shop", modelName: "Invoice", modelId: 17 });
    expect(await app.enqueue(invoice, [id, keywords({ format: "pdf" })])).toEqual({
      kind: "queued",
      queue: "q",
      length: 1,
    });
    expect(await app.enqueue(invoice, [id, keywords({ format: "csv" })])).toMatchObject({ kind: "dropped" });
    const [raw = ""] = await world.queued("q");
    expect(raw).toMatch(
      /^\{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":\[\{"job_class":"InvoiceJob","job_id":"[0-9a-f-]{36}","provider_job_id":null,"queue_name":"q","priority":null,"arguments":\[\{"_aj_globalid":"gid:\/\/shop\/Invoice\/17"\},\{"format":"pdf","_aj_ruby2_keywords":\["format"\]\}\],"executions":0,"exception_executions":\{\},"locale":"de","timezone":null,"enqueued_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z","scheduled_at":null\}\],"airlift":\{"unique":"[^"]+"\}\}$/,
    );
    expect(await app.drain()).toMatchObject({ succeeded: 1, failed: 0 });
    expect(ran).toEqual([["17", "pdf", "de"]]);
    // @ts-expect-error the arguments are typed
    await expect(app.enqueue(invoice, [1, 2])).rejects.toThrow(/^enqueue: class "InvoiceJob": args\[0\]: /);
  });

  test("a job for Rails alone needs no definition", async () => {
    const app = world.app({ jobs: [] });
    const at = Date.now() + 60_000;
    await app.enqueue(activeJobRequest("InvoiceJob", [keywords({ a: 1 })], { queue: "q", jobId: "1", nowMs: 0 }));
    expect(await app.enqueue(activeJobRequest("InvoiceJob", [], { queue: "q", at }))).toMatchObject({
      kind: "delayed",
    });
    expect(await world.queued("q")).toEqual([
      '{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"InvoiceJob","job_id":"1","provider_job_id":null,"queue_name":"q","priority":null,"arguments":[{"a":1,"_aj_ruby2_keywords":["a"]}],"executions":0,"exception_executions":{},"locale":null,"timezone":null,"enqueued_at":"1970-01-01T00:00:00.000000000Z","scheduled_at":null}]}',
    ]);
  });

  test("middleware, the app's and the class's, stands around it; the class's knows the Active Job", async () => {
    const withTenant = defineMiddleware(async (_job, next) => await next({ tenant: "acme" }));
    const shared = { middleware: [withTenant] } as const;
    const seen: unknown[] = [];
    const job = activeJobsWith(shared)({
      class: "ExampleJob",
      middleware: [
        async (inner: JobContext<ActiveJobContext & { tenant: string }>, next: Next) => {
          const { tenant, activeJob: info } = inner.context;
          return await next({ label: `${tenant} ${info.queueName}` });
        },
      ],
      perform: (args, { context }) => void seen.push(context.label, context.activeJob.priority, args),
    });
    await push(readFixture("8.1", "a queue and a priority").raw);
    await world.app({ ...shared, jobs: [job] }).drain();
    expect(seen).toEqual(["acme low:prio", 10, [1]]);
  });
});

function request(className: string, args: readonly unknown[], members: object = {}): object {
  const { class: wrapper } = activeJobRequest(className, [], { queue: "q" });
  return { class: wrapper, args: [{ job_class: className, arguments: args, ...members }] };
}
