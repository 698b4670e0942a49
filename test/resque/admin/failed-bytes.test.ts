import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { retryFailed } from "../../../src/resque/admin/change-failed.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, bytesOf, idOf, openAdminWorld } from "./admin-world.ts";

/** JSON of a value with white space wherever it may be, and characters escaped or not. */
function spell(value: unknown, next: () => number): string {
  const blank = (): string => ["", "", " ", "\n\t"][next() % 4] as string;
  if (typeof value === "string") {
    const text = JSON.stringify(value);
    return next() % 3 === 0
      ? text.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
      : text;
  }
  if (Array.isArray(value))
    return `[${blank()}${value.map((item) => spell(item, next)).join(`${blank()},${blank()}`)}${blank()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${spell(name, () => 1)}${blank()}:${blank()}${spell(member, next)}`,
  );
  return `{${blank()}${members.join(`${blank()},${blank()}`)}${blank()}}`;
}

const nasty = fc.constantFrom(
  '"',
  "\\",
  '\\"',
  '","payload":{',
  "}",
  "]",
  ":",
  "é\u2028",
  "\u0000",
  '"retried_at":"',
  "\\\\",
);
const text = fc.array(fc.oneof(nasty, fc.string()), { maxLength: 4 }).map((parts) => parts.join(""));
const value = fc.jsonValue({ maxDepth: 3 });
const payload = fc.record({ class: text.filter((name) => name !== ""), args: fc.array(fc.oneof(value, text)) });
const others = fc.dictionary(
  fc.oneof(text, fc.constantFrom("exception", "error", "backtrace")),
  fc.oneof(value, text),
  { maxKeys: 5 },
);
const entry = fc.record({
  payload,
  others,
  isRetried: fc.boolean(),
  order: fc.nat(),
  spelling: fc.infiniteStream(fc.nat(11)),
});

// What a script finds does not depend on the way to it.
describe.each(setups().filter(({ transport }) => transport === "tcp"))("a retry over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("pushes the exact bytes of the payload, wherever it stands, and changes nothing but the mark", async () => {
    const property = fc.asyncProperty(entry, async ({ payload, others, isRetried, order, spelling }) => {
      await world.flush();
      const next = (): number => spelling.next().value as number;
      const raw = spell(payload, next);
      const mark = '"2020/01/01 00:00:00 UTC"';
      const { payload: _p, queue: _q, retried_at: _r, ...rest } = others;
      const members = [
        ...Object.entries(rest).map(([name, member]) => `${JSON.stringify(name)} :${spell(member, next)}`),
        '"queue":"mail"',
        `"payload":${raw}`,
        ...(isRetried ? [`"retried_at": ${mark}`] : []),
      ];
      const at = order % members.length;
      const text = `{${[...members.slice(at), ...members.slice(0, at)].join(" ,")}}`;
      await world.fail([text]);
      expect(await retryFailed(world.context, { ids: [idOf(text)] })).toMatchObject({ retried: 1, refused: 0 });
      expect(await world.list(world.keys.queue("mail"))).toEqual([bytesOf(raw)]);
      const stamp = '"2026/11/20 18:50:57 UTC"';
      const marked = isRetried
        ? text.replace(`"retried_at": ${mark}`, `"retried_at": ${stamp}`)
        : `${text.slice(0, -1)},"retried_at":${stamp}}`;
      expect(await world.list(world.keys.failed)).toEqual([bytesOf(marked)]);
      const { retried_at: retriedAt, payload: kept } = JSON.parse(marked) as Record<string, unknown>;
      expect(retriedAt).toBe(JSON.parse(stamp));
      // As text: JSON knows no -0.
      expect(JSON.stringify(kept)).toBe(JSON.stringify(payload));
    });
    await fc.assert(property, { numRuns: 200, seed: 20_261_120 });
  });

  test("leaves an entry as it is whose members have names that are escaped, and keeps nothing else back", async () => {
    const escaped = '{"payl\\u006fad":{"class":"A","args":[]},"queue":"mail"}';
    const other = '{"payload":{"class":"A","args":[]},"queue":"mail"}';
    await world.flush();
    await world.fail([escaped, other]);
    const ids = [escaped, other].map(idOf);
    expect(await retryFailed(world.context, { ids })).toMatchObject({ retried: 1, missing: [ids[0]] });
    expect((await world.list(world.keys.failed))[0]).toBe(escaped);
  });
});
