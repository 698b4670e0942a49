import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectRaw, type RawCommand } from "../../src/redis/ioredis-connection.ts";
import { hasRedisServer } from "../support/redis.ts";
import { type RunningSetup, type Setup, setups } from "../support/setups.ts";
import { compareEssences, PayloadWorld } from "./payload-world.ts";
import { isLong } from "./settings.ts";

const MB = 1_000_000;
/** The embedded Redis is not made for such. */
const MOST = hasRedisServer() ? 10 * MB : MB / 2;
const SIZE = isLong ? MOST : Math.min(MOST, 2 * MB);

const job = (args: string, more = ""): string => `{"class":"Job","args":${args}${more}}`;
const LARGE: Readonly<Record<string, () => string | Buffer>> = {
  "a text": () => job(`["${"x".repeat(MOST)}"]`),
  escapes: () => job(`["${"\\u00e9\\\\".repeat(SIZE / 8)}"]`),
  "many numbers": () => job(`[${"1,".repeat(SIZE / 2)}0]`),
  "many large numbers": () => job(`[${"12345678901234567890,".repeat(SIZE / 21)}0]`),
  "one number": () => job(`[${"9".repeat(SIZE / 10)}]`),
  "many levels": () => job(`${"[".repeat(SIZE / 2)}${"]".repeat(SIZE / 2)}`),
  "levels without an end": () => "[".repeat(SIZE),
  "members of Airlift's name": () => job("[1]", ',"airlift":{"crashes":1}'.repeat(SIZE / 24)),
  "a class": () => `{"class":"${"C".repeat(SIZE)}","args":[]}`,
  "a class with a lock": () => `{"class":"${"C".repeat(SIZE)}","args":[],"airlift":{"unique":"d0123456789ab"}}`,
  "no JSON": () => "{".repeat(MOST),
  "no UTF-8": () => Buffer.alloc(SIZE, 0xff),
  "what may be no UTF-8": () => job(`["${"\uFFFD".repeat(SIZE / 3)}"]`),
  "a Rails job": () =>
    `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"Rails","arguments":[${'{"a":1},'.repeat(SIZE / 8)}null]}]}`,
};

const [kind] = setups()
  .toReversed()
  .filter(({ transport }) => transport === "tcp");
let setup: RunningSetup;
let raw: ReturnType<typeof connectRaw>;
let worlds = 0;
beforeAll(async () => {
  setup = await (kind as Setup).start();
  raw = connectRaw(setup.redis.url);
});
afterAll(async () => {
  await raw.close();
  await setup.close();
});

test.each(Object.entries(LARGE))(
  "a payload of megabytes keeps none of its neighbours, and its bytes: %s",
  async (_what, make) => {
    const world = new PayloadWorld(setup, raw, `s${++worlds}`);
    const { keys } = world;
    const payload = Buffer.from(make() as string);
    await world.send(["RPUSH", keys.queue("q"), '{"class":"Good","args":[1]}', payload, '{"class":"Good","args":[2]}']);
    const { report, good, ran } = await world.drain({ timeoutMs: 600_000 });
    expect(report).toMatchObject({ stopped: "empty", claimed: 3, remaining: 0 });
    expect(good.toSorted()).toEqual([1, 2]);
    const { strange, missing } = compareEssences([payload], { ran, failed: await world.list(keys.failed) });
    // What is compared is too long to be shown.
    expect([strange.length, missing.length]).toEqual([0, 0]);
    await world.flush();
  },
);

/** What Redis needs for a call, in ms of its own computing: nobody else is served meanwhile. */
async function redisMs(...commands: RawCommand[]): Promise<number> {
  const read = async (): Promise<number> => {
    const [info] = await raw.send([["INFO", "cpu"]]);
    const text = Buffer.from(info as Uint8Array).toString();
    return Number(/used_cpu_user_main_thread:([\d.]+)/.exec(text)?.[1]) * 1_000;
  };
  const before = await read();
  for (const reply of await raw.send(commands)) if (reply instanceof Error) throw reply;
  return (await read()) - before;
}

const part = (name: string): string =>
  readFileSync(new URL(`../../src/resque/scripts/${name}.lua`, import.meta.url), "utf8");
const parts = (...names: readonly string[]): string => names.map(part).join("\n");
/** Parts of scripts that look through bytes that others wrote. */
const SCRIPTS: Readonly<Record<string, string>> = {
  members: `${parts("_json-members")}\nlocal _, brace = members(ARGV[1]) return brace or 0`,
  short: `${parts("_json-members", "_short-json")}\nreturn #short(ARGV[1])`,
  isjson: `${parts("_decode-json", "_is-json")}\nreturn isjson(ARGV[1]) and 1 or 0`,
  place: `${parts("_place-of")}\nreturn place_of(ARGV[1]) or ''`,
  slot: `return string.match(ARGV[1], '^({"claim":"[^"]*","queue":(".-"),"run_at":"[^"]*","payload":)') or ''`,
};
const HARD: Readonly<Record<string, (length: number) => string>> = {
  "payloads within payloads": (n) => `${'{"payload":'.repeat(n / 12)}1${"}".repeat(n / 12)}`,
  "many members": (n) => `{${'"a":1,'.repeat(n / 6)}"b":2}`,
  "colons and blanks": (n) => `{"a"${":  ".repeat(n / 3)}}`,
  quotes: (n) => `{"a":"${'\\"'.repeat(n / 2)}"}`,
  backslashes: (n) => `{"a":"${"\\\\".repeat(n / 2)}"}`,
  "half emoji": (n) => `{"a":"${"\\ud83d".repeat(n / 6)}"}`,
  numbers: (n) => `{"a":[${"1e5,".repeat(n / 4)}0]}`,
  "heads of entries": (n) => `{"claim":"","queue":"${'","run_at":"'.repeat(n / 12)}`,
  "heads of waiting jobs": (n) => `{"id":"x"${',"limited":true,"payload"'.repeat(n / 25)},"payload":1}`,
};

describe.runIf(hasRedisServer())("a script takes no more time over bytes than grows with their number", () => {
  test.each(Object.entries(SCRIPTS))("%s", async (_name, script) => {
    for (const [what, make] of Object.entries(HARD)) {
      const call = (length: number): RawCommand => ["EVAL", script, 0, make(length)];
      // Redis' clock is coarse, so the shorter text comes as often as the longer one is longer.
      const short = Array.from({ length: 10 }, () => call(30_000));
      let growth = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < 5 && growth >= 4; attempt++) {
        growth = Math.min(growth, (await redisMs(call(300_000))) / Math.max(2, await redisMs(...short)));
      }
      expect({ what, growth }).toEqual({ what, growth: expect.toSatisfy((times: number) => times < 4) });
    }
  });
});
