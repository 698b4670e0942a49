import { expect, test } from "vitest";
import { backoffMs } from "../../../src/core/retry.ts";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import { besideRuby, eventually } from "./ruby-world.ts";

describeBesideRuby("beside resque-retry", () => {
  const world = besideRuby();
  const startWorker = () => world.start(["worker.rb", "mail"], { SUPPRESS_RETRIED: "1" });
  const retryKeys = async (): Promise<string[]> => (await world.redis.keys("resque:*resque-retry:*")).sort();

  test("its job fails in Ruby, we promote it with its counters untouched, and Ruby goes on counting", async () => {
    const { redis } = world;
    await redis.set("fail", 1);
    await world.ruby('Resque.enqueue(Flaky, 1.0, "é", {"k" => []})');
    const payload = await redis.lindex("resque:queue:mail", 0);
    const worker = startWorker();
    const airlift = world.app({ queues: ["other"], jobs: [] });
    await eventually(async () => (await airlift.delayed.count()) === 1);
    // It writes the failure's details after all else.
    await eventually(async () => (await retryKeys()).length === 2);
    expect(await retryKeys()).toEqual([
      expect.stringMatching(/^resque:failure-resque-retry:Flaky:[0-9a-f]{40}$/),
      expect.stringMatching(/^resque:resque-retry:Flaky:[0-9a-f]{40}$/),
    ]);
    const [, counter = ""] = await retryKeys();
    expect(await redis.get(counter)).toBe("0");
    expect(await redis.exists("resque:failed")).toBe(0);
    // We promote, as no scheduler runs; the drain serves another queue.
    for (const attempt of ["1", "2"]) {
      await eventually(async () => (await airlift.drain()).promoted === 1);
      await eventually(async () => (await redis.get(counter)) === attempt);
      await eventually(async () => (await airlift.delayed.count()) === 1);
    }
    await redis.del("fail");
    await eventually(async () => (await airlift.drain()).promoted === 1);
    await eventually(async () => (await redis.llen("ran")) === 4);
    await eventually(async () => (await redis.exists(counter)) === 0);
    worker.signal("SIGQUIT");
    await worker.ended;
    const ran = await world.ran();
    expect(ran.map(({ json }) => `{"class":"Flaky","args":${json}}`)).toEqual(Array(4).fill(payload));
    expect(await redis.exists("resque:failed")).toBe(0);
  });

  test("it gives up after as many attempts as ours do with the same limit, and both failures can be retried", async () => {
    const { redis } = world;
    await redis.set("fail", 1);
    let runs = 0;
    const ours = {
      class: "Ours",
      retry: { limit: 3, backoff: [1] },
      perform: (_args: readonly unknown[], { retries }: { retries: number }) => {
        expect(retries).toBe(runs++);
        throw new Error("not yet");
      },
    };
    const airlift = world.app({ queues: ["ours"], jobs: [ours] });
    await airlift.enqueue({ queue: "ours", class: "Ours", args: [1] });
    await world.ruby("Resque.enqueue(Flaky, 1)");
    const worker = startWorker();
    await eventually(async () => {
      await airlift.drain();
      return (await redis.llen("resque:failed")) === 2;
    });
    worker.signal("SIGQUIT");
    await worker.ended;
    expect(runs).toBe(4);
    expect(await redis.llen("ran")).toBe(4);
    expect(await retryKeys()).toEqual([]);
    const { jobs } = await airlift.failed.list();
    expect(jobs.map((job) => [job.class, job.args]).sort()).toEqual([
      ["Flaky", [1]],
      ["Ours", [1]],
    ]);
    expect(await airlift.failed.retry({ all: true })).toMatchObject({ retried: 2 });
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual(['{"class":"Flaky","args":[1]}']);
    expect(await redis.lrange("resque:queue:ours", 0, -1)).toEqual(['{"class":"Ours","args":[1]}']);
  });

  test('our backoff "resque-retry" waits as its ExponentialBackoff does', async () => {
    const theirs = await world.ruby<number[]>(`
        klass = Class.new { extend Resque::Plugins::ExponentialBackoff }
        Array.new(8) { |n| klass.instance_variable_set(:@retry_attempt, n); klass.retry_delay }`);
    const ours = Array.from({ length: 8 }, (_, retries) =>
      backoffMs("resque-retry", { retries, error: new Error("x"), random: () => 0.5, job: {} } as never),
    );
    expect(ours).toEqual(theirs.map((seconds) => seconds * 1_000));
  });
}, ["resque-retry"]);
