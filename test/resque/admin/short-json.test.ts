import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readList } from "../../../src/resque/generated/read-list.generated.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, openAdminWorld } from "./admin-world.ts";

const MANY = 1_000_000_000;
const long = (chars: number): string => `"${"x".repeat(chars - 2)}"`;

describe.each(setups())("what is shown of an entry that is too large, over $name", (setup) => {
  let world: AdminWorld;
  beforeAll(async () => {
    world = await openAdminWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** As if all that is not empty were too large. */
  const show = async (entry: string): Promise<string> => {
    await world.flush();
    await world.fail([entry], "list");
    const args = ["u", 0, MANY, MANY, MANY, MANY, 0, 0];
    const reply = await world.client.script({ script: readList, keys: ["list"], args });
    return (reply as [number, number, number, string[]])[3][2] as string;
  };

  test("the members that are short, up to 5,000 bytes, as they are written", async () => {
    const entry = `{"a":1.0,"fits":${long(5_000)},"long":${long(5_001)},"é":[{"b":"}"}],"c":{ "d":null }}`;
    const shown = await show(entry);
    expect(JSON.parse(shown)).toEqual({ a: 1, fits: "x".repeat(4_998), é: [{ b: "}" }], c: { d: null } });
    expect(shown).toContain('"a":1.0');
    expect(shown).toContain('"c":{ "d":null }');
  });

  test("of a payload that is long its short members, but none of a payload in that", async () => {
    const inner = `{"class":"Inner","args":[${long(6_000)}]}`;
    const entry = `{"payload":{"class":"Outer","args":[${long(6_000)}],"payload":${inner}},"error":"e"}`;
    expect(JSON.parse(await show(entry))).toEqual({ payload: { class: "Outer" }, error: "e" });
  });

  test("a payload of 5,000 bytes is shown whole", async () => {
    const payload = `{"class":"A","args":[${long(5_000 - 23)}]}`;
    expect(payload).toHaveLength(5_000);
    expect(await show(`{"payload":${payload}}`)).toBe(`{"payload":${payload}}`);
  });

  test("members with white space wherever JSON may have it", async () => {
    const entry = ' {\n\t"error" : "e" , "queue":\r\n"q"\n,"payload" : { "class" : "A"\t} \n} ';
    expect(JSON.parse(await show(entry))).toEqual({ error: "e", queue: "q", payload: { class: "A" } });
    expect(await show('{"a": 1 \n }')).toBe('{"a":1}');
  });

  test.each([
    ["a text that ends nowhere", `{"error":"e","payload":{"class":"A","args":["x`],
    ["a text that ends in an escape", '{"error":"e\\'],
    ["an object that ends nowhere", '{"error":"e","payload":{"class":"A"'],
    ["no JSON at all", "xyz"],
    ["a text", '"x"'],
    ["an array", '[{"a":1}]'],
    ["no member", "{}"],
  ])("nothing of %s", async (_what, entry) => {
    expect(await show(entry)).toBe("{}");
  });
});
