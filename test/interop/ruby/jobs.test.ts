import { expect, test } from "vitest";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import { besideRuby, eventually } from "./ruby-world.ts";

/** Ruby's way to write arguments, and what a handler gets. How their JSON looks is Ruby's business, and differs between versions. */
const ODD: readonly (readonly [name: string, ruby: string, handed: readonly unknown[]])[] = [
  ["none", "", []],
  ["empty ones", '[], {}, "", [[]], {"a" => []}', [[], {}, "", [[]], { a: [] }]],
  ["nil and booleans", "nil, true, false", [null, true, false]],
  ["whole Floats", "1.0, -0.0, 1e20, 1e16", [1, -0, 1e20, 1e16]],
  ["small Floats", "0.1, 1e-7, 1.5e300", [0.1, 1e-7, 1.5e300]],
  ["big Integers", "2**53 + 1, -(2**63), 10**30", [9007199254740993n, -9223372036854775808n, 10n ** 30n]],
  ["other scripts", '"é漢🚀", "\\u2028<&>/"', ["é漢🚀", "\u2028<&>/"]],
  ["control characters", '"\\u0000\\n\\t\\\\\\"\\u007f"', ['\0\n\t\\"\x7f']],
  [
    "keys like integers, in Ruby's order",
    '{"10" => 1, "9" => 2, "b" => {"2" => 3, "1" => 4}}',
    [{ "10": 1, "9": 2, b: { "2": 3, "1": 4 } }],
  ],
  ["Symbols and keywords", ":a, k: :v", ["a", { k: "v" }]],
];

describeBesideRuby("jobs between Ruby and a drain", () => {
  const world = besideRuby();

  test.each(ODD)("Ruby enqueues, we work: %s", async (_name, ruby, handed) => {
    const { redis } = world;
    await world.ruby(`Resque.enqueue(${["Echo", ruby].filter(Boolean).join(", ")})`);
    const payload = await world.ruby<string>(`Resque.encode(class: "Echo", args: [*[${ruby}]])`);
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual([payload]);
    const seen: unknown[] = [];
    const entries: unknown[] = [];
    const echo = {
      class: "Echo",
      async perform(args: readonly unknown[], { raw }: { raw: string }) {
        seen.push([args, raw]);
        for (const id of await redis.keys("resque:worker:*-?:mail")) entries.push(await redis.get(id));
        throw new Error("to see what failed holds");
      },
    };
    const app = world.app({ queues: ["mail"], jobs: [echo] });
    await app.drain();
    expect(seen).toEqual([[handed, payload]]);
    expect(entries).toEqual([expect.stringMatching(/^\{"claim":/)]);
    expect(String(entries[0]).endsWith(`,"payload":${payload}}`)).toBe(true);
    expect((await redis.lindex("resque:failed", 0))?.includes(`,"payload":${payload},"exception":"Error"`)).toBe(true);
    // And back: Ruby sees in our entry, and after our retry in its queue, what it enqueued.
    expect(await app.failed.retry({ class: "Echo" })).toMatchObject({ retried: 1 });
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual([payload]);
    expect(await world.ruby(`Resque::Job.destroy(${[":mail", "Echo", ruby].filter(Boolean).join(", ")})`)).toBe(1);
    expect(await redis.llen("resque:queue:mail")).toBe(0);
  });

  test("we enqueue, Ruby works: the same values, and the bytes that Ruby would have written", async () => {
    const { redis } = world;
    const app = world.app({ queues: ["mail"], jobs: [] });
    const args: readonly (readonly [args: readonly unknown[], ruby: string])[] = [
      [[], "[]"],
      [[[], {}, "", [[]], { a: [] }], '[[], {}, "", [[]], {"a"=>[]}]'],
      [[null, true, 1, -7, 1.5, 0.1], "[nil, true, 1, -7, 1.5, 0.1]"],
      [[9007199254740993n, -(2n ** 63n)], "[9007199254740993, -9223372036854775808]"],
      [["é漢🚀", "\u2028<&>/", '\0\n\\"'], '["é漢🚀", "\\u2028<&>/", "\\u0000\\n\\\\\\""]'],
      [[{ b: 1, a: { c: [] } }], '[{"b"=>1, "a"=>{"c"=>[]}}]'],
    ];
    for (const [each] of args) await app.enqueue({ queue: "mail", class: "Echo", args: each });
    const payloads = await redis.lrange("resque:queue:mail", 0, -1);
    expect(await world.ruby("Resque.size(:mail)")).toBe(args.length);
    expect(await world.ruby("Resque.queues")).toEqual(["mail"]);
    const written = await world.ruby<string[]>("Resque.peek(:mail, 0, 99).map { |job| Resque.encode(job) }");
    expect(written).toEqual(payloads);
    const worker = world.start(["worker.rb", "mail"]);
    await eventually(async () => (await redis.llen("ran")) === args.length);
    worker.signal("SIGQUIT");
    await worker.ended;
    const ran = await world.ran();
    const inspected = await world.ruby<string[]>(
      "args.map { |text| eval(text).inspect }",
      ...args.map(([, text]) => text),
    );
    expect(ran.map(({ inspect }) => inspect)).toEqual(inspected);
    expect(ran.map(({ json }) => `{"class":"Echo","args":${json}}`)).toEqual(payloads);
    expect(await redis.llen("resque:failed")).toBe(0);
  });

  test("a class of a module goes by its whole name", async () => {
    const order = { class: "Shop::Order", queue: "mail", perform: (args: readonly unknown[]) => void seen.push(args) };
    const seen: unknown[] = [];
    const app = world.app({ queues: ["mail"], jobs: [order] });
    await world.ruby("Resque.enqueue(Shop::Order, 1)");
    await app.drain();
    expect(seen).toEqual([[1]]);
    await app.enqueue({ queue: "mail", class: "Shop::Order", args: [2] });
    await world.ruby("Resque.reserve(:mail).perform");
    expect(await world.ran()).toMatchObject([{ class: "Shop::Order", json: "[2]" }]);
  });

  test("Ruby takes our jobs out of a queue by their bytes, and the queue by its name", async () => {
    const app = world.app({ queues: ["mail"], jobs: [] });
    for (const n of [1, 2, 1, 3]) await app.enqueue({ queue: "mail", class: "Echo", args: [n, { a: [] }] });
    expect(await world.ruby('Resque::Job.destroy(:mail, Echo, 1, {"a" => []})')).toBe(2);
    expect(await world.ruby("Resque::Job.destroy(:mail, 'Echo', 2, {a: []})")).toBe(1);
    expect(await world.ruby("Resque.peek(:mail)['args']")).toEqual([3, { a: [] }]);
    await world.ruby("Resque.remove_queue(:mail)");
    expect((await app.queues.list()).total).toBe(0);
  });

  test("enqueue.rb, a producer for other tests: it prints the bytes of each payload that it enqueues", async () => {
    const { redis } = world;
    const lines = async (...options: string[]): Promise<string[]> => {
      const producer = world.start(["enqueue.rb", "20", "a", "b", ...options]);
      const printed = [];
      for (let n = 0; n < 20; n++) printed.push(await producer.line());
      expect(await producer.ended).toBe(0);
      return printed;
    };
    const printed = await lines("--from", "5", "--class", "Echo");
    expect(printed[0]).toBe('{"class":"Echo","args":[5,"é\u2028<&>/\\n"]}');
    expect([
      ...(await redis.lrange("resque:queue:a", 0, -1)),
      ...(await redis.lrange("resque:queue:b", 0, -1)),
    ]).toEqual([0, 1].flatMap((odd) => printed.filter((_, index) => index % 2 === odd)));
    const delayed = await lines("--delay", "3600");
    const { jobs } = await world.app({ queues: ["a"], jobs: [] }).delayed.list({ limit: 100 });
    expect(jobs.map(({ raw }) => raw.replace(/,"queue":"[ab]"\}$/, "}")).sort()).toEqual(delayed.sort());
  });

  test("a Ruby worker and a drain on the same queues: each job once, counted once", async () => {
    const { redis } = world;
    const ours: number[] = [];
    const echo = { class: "Echo", perform: ([n]: readonly unknown[]) => void ours.push(n as number) };
    const app = world.app({ queues: ["high", "mail"], jobs: [echo], concurrency: 4 });
    const enqueue = (from: number, count: number): Promise<unknown> =>
      app.enqueueAll(
        Array.from({ length: count }, (_, i) => {
          return { queue: i % 3 === 0 ? "high" : "mail", class: "Echo", args: [from + i] };
        }),
      );
    await enqueue(0, 100);
    const worker = world.start(["worker.rb", "high", "mail"]);
    await eventually(async () => (await redis.llen("ran")) >= 10);
    await enqueue(100, 300);
    const more = world.ruby("300.times { |n| Resque.enqueue(Echo, 400 + n) }");
    const report = await app.drain();
    await more;
    await app.drain();
    worker.signal("SIGQUIT");
    await worker.ended;
    const theirs = (await world.ran()).map(({ json }) => JSON.parse(json)[0] as number);
    expect(report.succeeded).toBeGreaterThan(0);
    expect([...ours, ...theirs].sort((a, b) => a - b)).toEqual(Array.from({ length: 700 }, (_, n) => n));
    expect(await redis.mget("resque:stat:processed", "resque:stat:failed")).toEqual(["700", null]);
    expect(await redis.keys("resque:*")).toEqual(
      expect.not.arrayContaining([expect.stringMatching("resque:(worker|queue:)")]),
    );
  });
});
