import { expect, test } from "vitest";
import { evalCommand, evalshaCommand, KEY_LOCKING_FORM, PLAIN_FORM } from "../../../src/redis/script-command.ts";
import type { RedisCommand } from "../../../src/resque/client.ts";
import { beatDrain } from "../../../src/resque/generated/beat-drain.generated.ts";
import { exchange } from "../../../src/resque/generated/exchange.generated.ts";
import { createClaimWatch } from "./claims.ts";

const call = { script: exchange, keys: ["k"], args: ["a"] };
const REPLY = JSON.stringify({ result: [1, ['{"class":"Job","args":["#7#"]}', '{"class":"Job","args":["#8#"]}']] });

function seen(command: unknown): (number | string)[][] {
  const watch = createClaimWatch();
  watch.watch({
    ...{ atMs: 5, client: "right.1", fault: "drop-reply", isLate: true, isDelivered: false },
    body: Buffer.from(JSON.stringify(command)),
    reply: Buffer.from(REPLY),
  });
  return [6, 7, 8].map((job) => watch.of(job).map(({ atMs, process, how }) => `${process} ${atMs} ${how}`));
}

const CLAIMED = ["right.1 5 drop-reply, late, not told"];

test.each<[string, RedisCommand]>([
  ["its hash", evalshaCommand(call, PLAIN_FORM)],
  ["its hash for Upstash", evalshaCommand(call, KEY_LOCKING_FORM)],
  ["its text, as after a flush", evalCommand(call, PLAIN_FORM)],
  ["its text for Upstash", evalCommand(call, KEY_LOCKING_FORM)],
])("an exchange that is called by %s tells which jobs it handed over", (_, command) => {
  expect(seen(command)).toEqual([[], CLAIMED, CLAIMED]);
  expect(seen([["GET", "k"], command])).toEqual([[], CLAIMED, CLAIMED]);
});

test("what is no exchange tells nothing", () => {
  expect(seen(evalCommand({ ...call, script: beatDrain }, PLAIN_FORM))).toEqual([[], [], []]);
  expect(seen(["LRANGE", "resque:queue:q", 0, -1])).toEqual([[], [], []]);
});
