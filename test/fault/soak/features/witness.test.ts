import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../../../src/index.ts";
import { ioredis } from "../../../../src/redis/ioredis.ts";
import { createKeys } from "../../../../src/resque/keys.ts";
import { hasRedisServer } from "../../../support/redis.ts";
import { until } from "../../../support/until.ts";
import { type DurableRedis, startDurableRedis } from "../../harness/durable-redis.ts";
import { type Journal, readJournal } from "./journal.ts";
import { type Witness, watchRedis } from "./witness.ts";
import { readCalls, readWords, type SeenCall } from "./witnessed-calls.ts";

const keys = createKeys();

describe.skipIf(!hasRedisServer())("a witness (which needs a redis-server)", () => {
  let folder: string;
  let redis: DurableRedis;
  let witness: Witness;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "airlift-witness-"));
    redis = await startDurableRedis();
    witness = await watchRedis(redis.port, join(folder, "monitor.log"));
  });
  afterEach(async () => {
    await witness.stop();
    await redis.close();
    await rm(folder, { recursive: true, force: true });
  });

  const calls = async (): Promise<SeenCall[]> => {
    await redis.client.echo("the end");
    await until(async () => (await readFile(witness.file, "latin1")).includes('"the end"'));
    await witness.stop();
    const seen: SeenCall[] = [];
    for await (const call of readCalls(witness.file)) seen.push(call);
    return seen;
  };
  const journal = async (): Promise<Journal> => {
    await calls();
    return readJournal(readCalls(witness.file));
  };
  const kindsOf = ({ moves }: Journal, job: string): string[] => (moves.get(job) ?? []).map(({ kind }) => kind);

  test("sees each command with its bytes, and what scripts do as theirs", async () => {
    const odd = 'é "quoted" \\ \n\t\x01 🚀';
    await redis.client.rpush("list", odd, "");
    await redis.client.eval("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('INCR', KEYS[2])", 2, "a", "b", odd);
    const seen = (await calls()).map(({ commands }) => commands.map(({ name, args }) => [name, ...args]));
    expect(seen).toContainEqual([["RPUSH", "list", odd, ""]]);
    expect(seen).toContainEqual([
      ["SET", "a", odd],
      ["INCR", "b"],
    ]);
  });

  test("sees a Redis again that is restarted", async () => {
    await redis.restart("SIGKILL");
    await until(() => witness.looks === 2);
    await redis.client.set("after", "1");
    const seen = (await calls()).flatMap(({ commands }) => commands.map(({ args }) => args[0]));
    expect(seen).toContain("after");
  });

  test("lets nobody to a Redis that it does not see, nor one be ended unseen", async () => {
    const client = new Redis(witness.url, { retryStrategy: () => 1, maxRetriesPerRequest: null });
    client.on("error", () => undefined);
    let isOver = false;
    let sent = 0;
    let done = 0;
    const sending = (async () => {
      while (!isOver)
        await client.set(`key ${++sent}`, "1").then(
          () => done++,
          () => undefined,
        );
    })();
    for (let restarts = 0; restarts < 3; restarts++) {
      await witness.cut();
      await redis.restart("SIGKILL");
      const before = done;
      await until(() => done > before);
    }
    await until(() => witness.looks === 4);
    isOver = true;
    await sending;
    client.disconnect();
    const set = await redis.client.keys("key *");
    const seen = new Set((await calls()).flatMap(({ commands }) => commands.map(({ args }) => args[0])));
    expect(set.filter((key) => !seen.has(key))).toEqual([]);
    expect(set.length).toBeGreaterThan(2);
  });

  test("follows a job from its producer to its end", async () => {
    const retry = { limit: 1, backoff: [0] };
    const app = createAirlift({
      ...{ redis: ioredis(redis.url), queues: ["q"] },
      jobs: [
        { class: "Ok", perform: () => undefined },
        { class: "Doomed", retry, perform: () => Promise.reject(new Error("no")) },
        { class: "Few", limit: { running: 1 }, perform: () => new Promise((resolve) => setTimeout(resolve, 5)) },
        { class: "Once", unique: { until: "done" }, perform: () => undefined },
      ],
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    });
    const job = (name: string, className: string) => ({ queue: "q", class: className, args: [`#${name}#`] });
    await app.enqueueAll([job("ok-1", "Ok"), job("doomed-1", "Doomed"), job("few-1", "Few"), job("few-2", "Few")]);
    await app.enqueue(job("once-1", "Once"));
    const item = '{"class":"Ok","args":["#late-1#"],"queue":"q"}';
    await redis.client
      .multi()
      .rpush(keys.delayed(1_000), item)
      .sadd(keys.timestamps(item), "delayed:1000")
      .zadd(keys.delayedSchedule, 1_000, "1000")
      .exec();
    await app.drain();
    await app.close();
    const seen = await journal();
    expect(kindsOf(seen, "ok-1")).toEqual(["enqueued", "claimed", "ended"]);
    expect(kindsOf(seen, "doomed-1")).toEqual(["enqueued", "claimed", "waiting", "promoted", "claimed", "failed"]);
    expect(kindsOf(seen, "late-1")).toEqual(["delayed", "promoted", "claimed", "ended"]);
    // Put back where it was, because one was there already, it has gone nowhere.
    expect(kindsOf(seen, "few-2")).toEqual(["enqueued", "claimed", "ended"]);
    const [unique] = [...seen.moves.keys()].filter((name) => name.startsWith("once-1@"));
    expect(kindsOf(seen, unique ?? "")).toEqual(["enqueued", "claimed", "ended"]);
    expect(seen.moves.get("doomed-1")?.map(({ own }) => own.retries ?? 0)).toEqual([0, 0, 1, 1, 1, 0]);
    const [drain] = [...seen.drains.values()];
    expect(drain).toMatchObject({ pid: process.pid, gone: { by: "closed" }, leases: [expect.any(Object)] });
    expect(await redis.client.keys(`${keys.worker("")}*`)).toEqual([]);
  });
});

test("words are read as MONITOR escapes them", () => {
  expect(readWords('"a" "" "\\xc3\\xa9 \\"x\\" \\\\ \\n\\t\\a"')).toEqual(["a", "", 'é "x" \\ \n\t\x07']);
  expect(readWords('"one" "two" "three"', 2)).toEqual(["one", "two"]);
});
