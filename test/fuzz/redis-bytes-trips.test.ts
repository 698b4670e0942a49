import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectRaw } from "../../src/redis/ioredis-connection.ts";
import { type RunningSetup, type Setup, setups } from "../support/setups.ts";
import { mutated } from "./corpus.ts";
import { hostileItem, hostilePayload } from "./hostile-payload.ts";
import { hostileWorkerEntry } from "./hostile-redis.ts";
import { compareEssences, type Ending, essenceOf, PayloadWorld, payloadsIn } from "./payload-world.ts";
import { fuzzing } from "./settings.ts";

const payload = fc.oneof({ arbitrary: hostilePayload, weight: 3 }, { arbitrary: mutated("payload"), weight: 1 });

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

const open = (): PayloadWorld => new PayloadWorld(setup, raw, `t${++worlds}`);
describe("a payload keeps its bytes", () => {
  test("when drains die with it, again and again", async () => {
    const property = fc.asyncProperty(
      fc.array(payload, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3 }),
      async (payloads, deaths) => {
        const world = open();
        const { keys } = world;
        let waiting = payloads;
        const endings: Ending[] = [];
        for (let death = 1; death <= deaths; death++) {
          const id = `gone${death}`;
          const entries = waiting.map((bytes, slot) => [
            keys.worker(`airlift-x-${id}:1-${slot}:q`),
            Buffer.concat([
              Buffer.from(`{"claim":"${id}.1.1.0","queue":"q","run_at":"x","payload":`),
              bytes,
              Buffer.from("}"),
            ]),
          ]);
          await world.send(
            ["DEL", keys.queue("q")],
            ["ZADD", keys.drains, 1, `{"id":"${id}","host":"airlift-x-${id}","pid":1,"slots":10,"queues":"q"}`],
          );
          if (entries.length > 0) await world.send(["MSET", ...entries.flat()]);
          // One that takes back, and claims nothing.
          await world.send(["SET", keys.pauseAll, "true"]);
          endings.push(await world.drain());
          await world.send(["DEL", keys.pauseAll]);
          waiting = await world.list(keys.queue("q"));
        }
        endings.push(await world.drain());
        const ran = endings.flatMap((ending) => ending.ran);
        const failed = await world.list(keys.failed);
        expect(compareEssences(payloads, { ran, failed })).toEqual({ strange: [], missing: [] });
        expect(await world.list(keys.queue("q"))).toEqual([]);
        await world.flush();
      },
    );
    await fc.assert(property, fuzzing(40));
  });

  test("when it has waited for its time, but for the queue that was its time's", async () => {
    const property = fc.asyncProperty(fc.array(hostileItem("q"), { maxLength: 8 }), async (items) => {
      const world = open();
      const { keys } = world;
      if (items.length > 0)
        await world.send(["RPUSH", keys.delayed(1_000), ...items], ["ZADD", keys.delayedSchedule, 1_000, 1_000]);
      const { ran } = await world.drain({ queues: ["*"] });
      // Queues that no pattern selects, as one whose name begins with a dot.
      const queues = (await world.keyNames()).filter((name) => name.startsWith(keys.queue("")));
      for (const queue of queues) ran.push(...(await world.list(Buffer.from(queue, "latin1"))));
      const all = [...ran.map((bytes) => [bytes]), ...(await world.list(keys.failed)).map(payloadsIn)];
      expect(all).toHaveLength(items.length);
      const left = items.map((item) => item.toString("latin1"));
      for (const forms of all) {
        const at = left.findIndex((item) =>
          forms.some((bytes) => isCutOf(bytes.toString("latin1"), item) || isCutOf(essenceOf(bytes), item)),
        );
        if (at < 0) expect(left).toContain(essenceOf(forms[0] as Buffer));
        left.splice(at, 1);
      }
      await world.flush();
    });
    await fc.assert(property, fuzzing(60));
  });
});

/** Whether a text is another one, or that one without the part of it that names a queue; or what is left of it without Airlift's member. */
function isCutOf(text: string, item: string): boolean {
  const essence = essenceOf(Buffer.from(item, "latin1"));
  return [item, essence].some((whole) => text === whole || isWithoutQueue(text, whole));
}

function isWithoutQueue(text: string, whole: string): boolean {
  let start = 0;
  while (start < text.length && text[start] === whole[start]) start++;
  const cut = whole.length - text.length;
  // The parts before and behind may overlap in what they look like.
  for (let at = start; at >= 0 && at >= start - cut; at--) {
    const part = whole.slice(at, at + cut);
    if (cut > 0 && text.slice(at) === whole.slice(at + cut) && isQueue(part)) return true;
  }
  return false;
}

/** Whether it is one member of an object, with one of the commas around it. */
function isQueue(part: string): boolean {
  try {
    const { queue, ...others } = JSON.parse(`{${part.trim().replace(/^,|,$/, "")}}`) as { readonly queue?: unknown };
    return typeof queue === "string" && queue !== "" && Object.keys(others).length === 0;
  } catch {
    return false;
  }
}

test("a worker that is pruned leaves an entry in failed that can be read", async () => {
  const property = fc.asyncProperty(hostileWorkerEntry("x"), fc.boolean(), async (entry, failedQueues) => {
    const world = open();
    const { keys } = world;
    await world.send(["SADD", keys.workers, "ruby:1:q"], ["SET", keys.worker("ruby:1:q"), entry]);
    const app = world.app({ failedQueues });
    expect(await app.workers.prune("ruby:1:q")).toEqual({ pruned: true, jobFailed: true });
    const lists = (await world.keyNames()).filter((name) => name.endsWith("failed") && !name.endsWith("stat:failed"));
    expect(lists).toHaveLength(1);
    for (const failure of await world.list(Buffer.from(lists[0] as string, "latin1"))) {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(failure);
      const { payload } = JSON.parse(text) as {
        readonly payload: { readonly class: unknown; readonly args: [string] };
      };
      if (payload.class === "MalformedPayload") expect(Buffer.from(payload.args[0], "latin1")).toEqual(entry);
      else expect(entry.includes(/"payload":(.*),"exception":"Resque::Prune/s.exec(text)?.[1] ?? "\0")).toBe(true);
    }
    await world.flush();
  });
  await fc.assert(property, fuzzing(150));
});
