import { expect, test } from "vitest";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import { besideRuby, eventually } from "./ruby-world.ts";

class PaymentDeclined extends Error {}

/** How Ruby shows all failures, its own members first. */
const ALL = "Array(Resque::Failure.all(0, 100))";

describeBesideRuby("failures, as the other side sees them", () => {
  const world = besideRuby();
  const failing = {
    class: "Echo",
    perform: () => {
      throw new PaymentDeclined('no "money" é\u2028\nleft');
    },
  };

  test("Ruby reads ours: every member, each of its type", async () => {
    await world.ruby('Resque.enqueue(Echo, 1.0, 2**64, [], {}, "é\\u2028<&>", {"10" => 1, "2" => [[]]})');
    await world.app({ queues: ["mail"], jobs: [failing], platform: "test" }).drain();
    expect(
      await world.ruby("[Resque::Failure.count, Resque::Failure.count(nil, 'Echo'), Resque.info[:failed]]"),
    ).toEqual([...[1, 1, 1]]);
    expect(await world.ruby("Resque::Failure.all(0, 1)['payload']['args'].inspect")).toBe(
      await world.ruby('[1.0, 2**64, [], {}, "é\\u2028<&>", {"10" => 1, "2" => [[]]}].inspect'),
    );
    expect(await world.ruby("Resque::Failure.all.reject { |name| name == 'payload' }")).toEqual({
      failed_at: expect.stringMatching(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d UTC$/),
      exception: "PaymentDeclined",
      error: 'no "money" é\u2028\nleft',
      backtrace: expect.arrayContaining([expect.stringContaining("failures.test.ts")]),
      worker: expect.stringMatching(/^airlift-test-[0-9a-f]{12}:\d+-\d+:mail$/),
      queue: "mail",
    });
    expect(await world.ruby("Resque::Failure.all.keys")).toEqual([
      ...["failed_at", "payload", "exception", "error", "backtrace", "worker", "queue"],
    ]);
    const failedAt = await world.ruby<number>("DateTime.parse(Resque::Failure.all['failed_at']).to_time.to_i");
    expect(Math.abs(failedAt - Date.now() / 1_000)).toBeLessThan(30);
  });

  test("Ruby's Failure.requeue of ours: both sides can run it, and both see that it was retried", async () => {
    const { redis } = world;
    const seen: unknown[] = [];
    await world.ruby('Resque.enqueue(Echo, 1.0, {"k" => []}); Resque.enqueue(Echo, 2)');
    const [first] = await redis.lrange("resque:queue:mail", 0, 0);
    await world.app({ queues: ["mail"], jobs: [failing] }).drain();
    await world.ruby("Resque::Failure.requeue(0)");
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual([first]);
    const app = world.app({
      queues: ["mail"],
      jobs: [{ class: "Echo", perform: (args: readonly unknown[]) => void seen.push(args) }],
    });
    expect((await app.failed.list({ retried: true })).jobs).toMatchObject([{ retriedAtMs: expect.any(Number) }]);
    await app.drain();
    expect(seen).toEqual([[1, { k: [] }]]);
    await world.ruby("Resque::Failure.requeue(1)");
    const worker = world.start(["worker.rb", "mail"]);
    await eventually(async () => (await redis.llen("ran")) === 1);
    worker.signal("SIGQUIT");
    await worker.ended;
    expect(await world.ran()).toMatchObject([{ class: "Echo", json: "[2]" }]);
    expect(await world.ruby(`${ALL}.map { |job| job["retried_at"].nil? }`)).toEqual([false, false]);
    await world.ruby("Resque::Failure.clear_retried");
    expect(await redis.llen("resque:failed")).toBe(0);
  });

  test("our retry of Ruby's: its bytes are back in its queue, Ruby runs it, and sees that it was retried", async () => {
    const { redis } = world;
    await world.ruby('Resque.enqueue(Boom, 1.0, 2**64, {"k" => []}, "é\\u2028")');
    const payload = await redis.lindex("resque:queue:mail", 0);
    const worker = world.start(["worker.rb", "mail"], { WORKER_HOST: "web1" });
    await eventually(async () => (await redis.llen("resque:failed")) === 1);
    worker.signal("SIGQUIT");
    await worker.ended;
    const app = world.app({ queues: ["mail"], jobs: [] });
    const { jobs } = await app.failed.list();
    expect(jobs).toMatchObject([
      {
        ...{ class: "Boom", args: [1, 2n ** 64n, { k: [] }, "é\u2028"], queue: "mail" },
        ...{ exception: "ArgumentError", error: "boom: 1.0", worker: `web1:${worker.pid}:mail` },
        ...{ backtrace: [expect.stringContaining("jobs.rb")], failedAtMs: expect.any(Number) },
      },
    ]);
    expect(await app.failed.retry({ class: "Boom" })).toMatchObject({ retried: 1 });
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual([payload]);
    expect(await world.ruby("DateTime.parse(Resque::Failure.all['retried_at']).to_time.to_i")).toEqual(
      expect.any(Number),
    );
    world.start(["worker.rb", "mail"]);
    await eventually(async () => (await redis.llen("ran")) === 2);
    const [before, after] = await world.ran();
    expect(after).toEqual(before);
  });

  test.each([
    ["not JSON", "{oops"],
    ["null", "null"],
    ["no job", '{"foo":1}'],
    ["a number as class", '{"class":1,"args":[]}'],
    ["an object as args", '{"class":"Echo","args":{"a":1}}'],
  ])("Ruby reads and requeues the failure of a payload that is %s", async (_name, payload) => {
    const { redis } = world;
    await redis.sadd("resque:queues", "mail");
    await redis.rpush("resque:queue:mail", payload);
    const app = world.app({ queues: ["mail"], jobs: [] });
    expect(await app.drain()).toMatchObject({ failed: 1 });
    const read = "Resque::Failure.all.slice('exception', 'payload')";
    expect(await world.ruby(read)).toEqual({
      ...{ exception: "MalformedPayload", payload: { class: "MalformedPayload", args: [payload] } },
    });
    await world.ruby("Resque::Failure.requeue(0)");
    expect(await app.drain()).toMatchObject({ failed: 1, stopped: "empty" });
  });

  test("Ruby removes ours by their place, and empties the list, while a drain runs", async () => {
    const { redis } = world;
    await world.ruby("4.times { |n| Resque.enqueue(Echo, n) }");
    await world.app({ queues: ["mail"], jobs: [failing], concurrency: 1 }).drain();
    await world.ruby("Resque::Failure.remove(1)");
    expect(await world.ruby(`${ALL}.map { |job| job["payload"]["args"].first }`)).toEqual([0, 2, 3]);
    await world.ruby("Resque::Failure.requeue_queue('mail')");
    expect(await redis.llen("resque:queue:mail")).toBe(3);
    await world.ruby("Resque::Failure.requeue_all; Resque::Failure.clear");
    expect(await redis.llen("resque:queue:mail")).toBe(6);
    expect(await redis.exists("resque:failed")).toBe(0);
  });

  test("the multi-queue backend reads ours in the lists of their queues, and we read its", async () => {
    const { redis } = world;
    await world.ruby(
      `require "resque/failure/redis_multi_queue"; Resque::Failure.backend = Resque::Failure::RedisMultiQueue; nil`,
    );
    world.cleanUp(() => world.ruby("Resque::Failure.backend = Resque::Failure::Redis; nil"));
    await world.ruby("Resque.enqueue_to('mail', 'Echo', 1); Resque.enqueue_to('low', 'Echo', 2)");
    const app = world.app({ queues: ["mail", "low"], jobs: [failing], failedQueues: true });
    await app.drain();
    expect(await world.ruby("[Resque::Failure.queues.sort, Resque::Failure.count]")).toEqual([
      ["low_failed", "mail_failed"],
      2,
    ]);
    expect(await world.ruby("Resque::Failure.all(0, 1, 'mail_failed')['payload']['args']")).toEqual([1]);
    await world.ruby("Resque::Failure.requeue(0, 'mail_failed')");
    expect(await redis.llen("resque:queue:mail")).toBe(1);
    expect((await app.failed.list({ list: "mail_failed" })).jobs).toMatchObject([{ retriedAtMs: expect.any(Number) }]);
    // Its own failures, in the same lists.
    await world.ruby(`worker = Resque::Worker.new("low"); worker.fork_per_job = false
      Resque.enqueue_to("low", "Boom", 3); worker.work_one_job; nil`);
    expect((await app.failed.lists()).map(({ name, size }: { name: string; size: number }) => [name, size])).toEqual(
      expect.arrayContaining([
        ["low_failed", 2],
        ["mail_failed", 1],
      ]),
    );
    expect(await app.failed.retry({ list: "low_failed", class: "Boom" })).toMatchObject({ retried: 1 });
    expect(await world.ruby("Resque.peek(:low)")).toEqual({ class: "Boom", args: [3] });
  });

  test("Ruby's child is killed: a DirtyExit that we read and retry", async () => {
    const { redis } = world;
    await world.ruby("Resque.enqueue(Die, 1)");
    const worker = world.start(["worker.rb", "mail"]);
    await eventually(async () => (await redis.llen("resque:failed")) === 1);
    worker.signal("SIGQUIT");
    await worker.ended;
    const app = world.app({ queues: ["mail"], jobs: [{ class: "Die", perform: () => undefined }] });
    expect((await app.failed.list()).jobs).toMatchObject([
      { exception: "Resque::DirtyExit", class: "Die", backtrace: [] },
    ]);
    expect(await app.failed.retry({ class: "Die" })).toMatchObject({ retried: 1 });
    expect(await app.drain()).toMatchObject({ succeeded: 1 });
  });
});
