import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { connectRaw } from "../../src/redis/ioredis-connection.ts";
import { type RunningSetup, type Setup, setups } from "../support/setups.ts";
import { damaged, hostileJson, hostileObject, mostly } from "./hostile-json.ts";
import { hostileClass, hostileOwn } from "./hostile-payload.ts";
import { PayloadWorld } from "./payload-world.ts";
import { fuzzing } from "./settings.ts";

/** In the arguments of each job, and in no log. */
const SECRET = "canary-5ec4e7-d15ea5e";

/** A secret among other things: alone, within a text, as a number, deep inside. */
const args = fc.oneof(
  fc.constantFrom(
    ...[`["${SECRET}"]`, `[{"a":"${SECRET}"}]`, `[{"a":5,"b":["${SECRET}"]}]`, `["${SECRET}`, `[1e5,"x ${SECRET} x"`],
    ...[
      `{"a":"${SECRET}"}`,
      `"${SECRET}"`,
      `["\\u0063anary-5ec4e7-d15ea5e"]`,
      `[{"job_class":"Rails","arguments":"${SECRET}"}]`,
    ],
    ...[`[{"job_class":"Rails","arguments":[{"_aj_globalid":"${SECRET}"}]}]`, `[[{"a":"${SECRET}"}],"${SECRET}"]`],
  ),
  hostileJson.map((json) => `["${SECRET}",${json}]`),
);
const payload = damaged(mostly(hostileObject({ class: hostileClass, args, airlift: hostileOwn }), args));

/** Where there is a gateway in between, it has a token that must not be seen either. */
const [kind] = setups()
  .toReversed()
  .filter(({ transport }) => transport === "http");
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

test("no log, event, error or report holds what is in a job's arguments", async () => {
  const property = fc.asyncProperty(fc.array(payload, { minLength: 1, maxLength: 8 }), async (payloads) => {
    const world = new PayloadWorld(setup, raw, `l${++worlds}`);
    await world.send(["RPUSH", world.keys.queue("q"), ...payloads]);
    const consoles = (["log", "info", "warn", "error", "debug"] as const).map((name) =>
      vi.spyOn(console, name).mockImplementation(() => undefined),
    );
    try {
      // Results are the handler's own to tell.
      const { told, report } = await world.drain({ status: undefined as never, hooks: {} });
      expect(report.claimed).toBeGreaterThanOrEqual(payloads.length);
      expect(told).not.toContain(SECRET);
      expect(told).not.toContain(setup.token);
      for (const spy of consoles) expect(spy).not.toHaveBeenCalled();
    } finally {
      for (const spy of consoles) spy.mockRestore();
    }
    const entries = (await world.list(world.keys.failed)).map((entry) => JSON.parse(entry.toString("utf8")));
    for (const { exception, error, backtrace } of entries) {
      expect(JSON.stringify([exception, error, backtrace])).not.toContain(SECRET);
    }
    await world.flush();
  });
  await fc.assert(property, fuzzing(60));
});
