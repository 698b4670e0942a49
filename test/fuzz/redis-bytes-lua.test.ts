import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectRaw } from "../../src/redis/ioredis-connection.ts";
import { hasRedisServer } from "../support/redis.ts";
import { type RunningSetup, type Setup, setups } from "../support/setups.ts";
import { mutated } from "./corpus.ts";
import { damaged, hostileJson } from "./hostile-json.ts";
import { hostilePayload } from "./hostile-payload.ts";
import { hostileFailedEntry } from "./hostile-redis.ts";
import { fuzzing } from "./settings.ts";

/** What scripts ask of bytes that they do not decode, asked alone: each part of scripts with a line that calls it. */
const part = (name: string): string =>
  readFileSync(new URL(`../../src/resque/scripts/${name}.lua`, import.meta.url), "utf8");
const IS_JSON = `${part("_decode-json")}\n${part("_is-json")}\nreturn {isjson(ARGV[1]) and 1 or 0, isbinary(ARGV[1]) and 1 or 0}`;
const MEMBERS = `${part("_json-members")}
local spans, brace = members(ARGV[1])
local found = {brace or 0}
for name, span in pairs(spans) do found[#found + 1], found[#found + 2] = name, string.sub(ARGV[1], span[1], span[2]) end
return found`;

const [kind] = setups()
  .toReversed()
  .filter(({ transport }) => transport === "tcp");
let setup: RunningSetup;
let raw: ReturnType<typeof connectRaw>;
beforeAll(async () => {
  setup = await (kind as Setup).start();
  raw = connectRaw(setup.redis.url);
});
afterAll(async () => {
  await raw.close();
  await setup.close();
});

const ask = async (script: string, bytes: Uint8Array): Promise<unknown[]> => {
  const [reply] = await raw.send([["EVAL", script, 0, bytes]]);
  if (reply instanceof Error) throw reply;
  return reply as unknown[];
};
const text = (reply: unknown): string => Buffer.from(reply as Uint8Array).toString("latin1");

/** Deeper than cjson reads is no JSON to a script; the embedded Redis does not get over it. */
const MAX_LEVELS = hasRedisServer() ? 1_000 : 500;
/** Of the text: a member that another of its name hides counts, too. */
function levelsOf(json: string): number {
  let levels = 0;
  let most = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[{}\]]/gs)) {
    if (token === "[" || token === "{") most = Math.max(most, ++levels);
    else if (token === "]" || token === "}") levels--;
  }
  return most;
}

const bytes = fc
  .oneof(hostilePayload, hostileFailedEntry, damaged(hostileJson), mutated("payload"))
  .filter((some) => hasRedisServer() || some.length < 900);

function parse(some: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(some)) as unknown;
  } catch {
    return undefined;
  }
}

test("what is JSON to a script is JSON to everybody, and the other way round", async () => {
  const property = fc.asyncProperty(bytes, async (some) => {
    const value = parse(some);
    const isObject = typeof value === "object" && value !== null && levelsOf(some.toString("latin1")) <= MAX_LEVELS;
    const isText = some.equals(Buffer.from(some.toString("utf8")));
    expect((await ask(IS_JSON, some)).map(Number)).toEqual([isObject ? 1 : 0, isText ? 0 : 1]);
  });
  await fc.assert(property, fuzzing(1_500));
});

test("a script finds the members of an object where a reader of JSON sees them", async () => {
  const property = fc.asyncProperty(bytes, async (some) => {
    const value = parse(some);
    const [brace, ...flat] = await ask(MEMBERS, some);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    expect(some.toString("latin1").slice(Number(brace) - 1)).toMatch(/^\}[ \t\r\n]*$/);
    // Names are compared as they are written: one that is written in two ways is two to a script.
    const found = new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[text(name), text(flat[i + 1])]] : [])));
    const names = [...found.keys()].map(
      (name) => JSON.parse(`"${Buffer.from(name, "latin1").toString("utf8")}"`) as string,
    );
    expect(new Set(names)).toEqual(new Set(Object.keys(value)));
    for (const [name, member] of found) {
      if (name.includes("\\") || names.filter((each) => each === name).length > 1) continue;
      const own = Object.getOwnPropertyDescriptor(value, Buffer.from(name, "latin1").toString("utf8"))
        ?.value as unknown;
      expect(JSON.parse(Buffer.from(member, "latin1").toString("utf8"))).toEqual(own);
    }
  });
  await fc.assert(property, fuzzing(1_500));
});
