import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutOut, encodeDelayedItem, encodeItemForms, readDelayedItem } from "../../src/resque/delayed-item.ts";
import { encodePayload } from "../../src/resque/payload.ts";

const payloadOf = (raw: string): string => {
  const item = readDelayedItem(raw);
  if (item.kind !== "job") throw new Error(item.reason);
  return cutOut(raw, item.cut);
};

describe("an item is written", () => {
  test("as resque-scheduler 5.0 writes it", () => {
    expect(encodeDelayedItem(encodePayload("Noop", [1, "hi"]), "bench")).toBe(
      '{"class":"Noop","args":[1,"hi"],"queue":"bench"}',
    );
  });

  test("with Airlift's own member behind the queue", () => {
    const payload = encodePayload("A", [{ airlift: { id: 1 } }], { unique: "abc", id: "x.1" });
    const item = encodeDelayedItem(payload, 'q"\\é');
    expect(item).toBe(
      `{"class":"A","args":[{"airlift":{"id":1}}],"queue":${String.raw`"q\"\\é"`},"airlift":{"unique":"abc","id":"x.1"}}`,
    );
    expect(payloadOf(item)).toBe(payload);
  });

  test("in node-resque's order, too, so that it is found", () => {
    expect(encodeItemForms("q", "A", [1, 12345678901234567890n])).toEqual({
      ruby: '{"class":"A","args":[1,12345678901234567890],"queue":"q"}',
      node: '{"class":"A","queue":"q","args":[1,12345678901234567890]}',
    });
  });
});

describe("a payload is cut out of an item", () => {
  test.each([
    ["resque-scheduler's", '{"class":"A","args":[1],"queue":"q"}', '{"class":"A","args":[1]}'],
    ["node-resque's", '{"class":"A","queue":"q","args":[1]}', '{"class":"A","args":[1]}'],
    ["the queue first", '{"queue":"q","class":"A","args":[1]}', '{"class":"A","args":[1]}'],
    ["one with members that nobody knows", '{"a":{},"class":"A","queue":"q","z":[]}', '{"a":{},"class":"A","z":[]}'],
    ["without args", '{"class":"A","queue":"q"}', '{"class":"A"}'],
    [
      "with white space",
      ' {\n"class" : "A" , "queue" : "q" , "args" : [ 1 ] }\n',
      ' {\n"class" : "A" , "args" : [ 1 ] }\n',
    ],
    ["white space, the queue first", '{ "queue" : "q" , "class" : "A" }', '{  "class" : "A" }'],
    [
      "with what no JavaScript would write",
      '{"class":"A","args":[1.0,-0,1e2,"\\/\\u00e9"],"queue":"q"}',
      '{"class":"A","args":[1.0,-0,1e2,"\\/\\u00e9"]}',
    ],
    [
      "with a queue in its args",
      '{"class":"A","args":[{"a":1,"queue":"q"}],"queue":"q"}',
      '{"class":"A","args":[{"a":1,"queue":"q"}]}',
    ],
    [
      "with a queue in a text",
      String.raw`{"class":"A","args":[",\"queue\":\"q\""],"queue":"q"}`,
      String.raw`{"class":"A","args":[",\"queue\":\"q\""]}`,
    ],
    [
      "with braces, brackets and commas in texts",
      '{"class":"A","args":["}],{[","\\\\"],"queue":"q,}"}',
      '{"class":"A","args":["}],{[","\\\\"]}',
    ],
    [
      "with several queues, of which the last counts",
      '{"queue":"a","class":"A","queue":"q"}',
      '{"queue":"a","class":"A"}',
    ],
    ["with its name escaped", String.raw`{"class":"A","\u0071ueue":"q","args":[]}`, '{"class":"A","args":[]}'],
  ])("%s", (_what, raw, payload) => {
    expect(readDelayedItem(raw)).toMatchObject({ kind: "job", class: "A", queue: /,}/.test(raw) ? "q,}" : "q", raw });
    expect(payloadOf(raw)).toBe(payload);
  });

  test("which of the two forms it has is told", () => {
    const { ruby, node } = encodeItemForms("q", "A", []);
    expect(readDelayedItem(ruby)).toMatchObject({ isNodes: false });
    expect(readDelayedItem(node)).toMatchObject({ isNodes: true });
  });

  test("whatever JSON it is, and wherever the queue stands", () => {
    const spaces = fc.constantFrom("", " ", "\n\t");
    const member = fc.tuple(fc.string({ unit: "binary" }), fc.jsonValue());
    const property = fc.property(
      fc.array(member, { maxLength: 4 }),
      fc.nat(6),
      fc.string({ unit: "binary", minLength: 1 }),
      fc.jsonValue(),
      spaces,
      (others, place, queue, args, space) => {
        const members = others
          .filter(([name]) => !["queue", "class", "args"].includes(name))
          .map(([name, value]) => `${JSON.stringify(name)}${space}:${space}${JSON.stringify(value)}`);
        members.unshift('"class":"A"', `"args":${space}[${JSON.stringify(args)}]`);
        const at = Math.min(place, members.length);
        const text = `"queue"${space}:${JSON.stringify(queue)}`;
        const raw = `{${members.toSpliced(at, 0, text).join(`,${space}`)}}`;
        expect(readDelayedItem(raw)).toMatchObject({ kind: "job", queue });
        expect(payloadOf(raw)).toBe(`{${at === 0 ? space : ""}${members.join(`,${space}`)}}`);
      },
    );
    fc.assert(property, { numRuns: 500, seed: 20_261_120 });
  });

  test("and what was encoded comes back byte for byte", () => {
    const property = fc.property(
      fc.array(fc.jsonValue()),
      fc.string({ unit: "binary", minLength: 1 }),
      fc.option(fc.record({ crashes: fc.integer({ min: 1, max: 99 }), id: fc.constant("x.1") }, { requiredKeys: [] })),
      (args, queue, own) => {
        const payload = encodePayload("A", args, own ?? undefined);
        expect(payloadOf(encodeDelayedItem(payload, queue))).toBe(payload);
      },
    );
    fc.assert(property, { numRuns: 300, seed: 20_261_120 });
  });
});

describe("what is no job is told with the reason", () => {
  test.each([
    ["not json", "is not valid JSON", undefined],
    ['{"class":"A","args":[],"queue":"q"', "is not valid JSON", undefined],
    ['["A"]', "expected an object", undefined],
    ["null", "expected an object", undefined],
    ["{}", "expected class", undefined],
    ['{"args":[1],"queue":"q"}', "expected class", "q"],
    ['{"class":"","queue":"q"}', "expected class", "q"],
    ['{"class":"A","args":{"a":1},"queue":"q"}', "expected args", "q"],
    ['{"class":"A","args":[1]}', "expected queue", undefined],
    ['{"class":"A","args":[{"queue":"q"}]}', "expected queue", undefined],
    ['{"class":"A","args":[1],"queue":""}', "expected queue", undefined],
    ['{"class":"A","args":[1],"queue":7}', "expected queue", undefined],
    ['{"class":"A","args":[1],"queue":"a","queue":null}', "expected queue", undefined],
  ])("%s", (raw, reason, queue) => {
    expect(readDelayedItem(raw)).toEqual({ kind: "malformed", raw, queue, reason: expect.stringContaining(reason) });
  });

  test("nesting that no reader follows", () => {
    const raw = `{"class":"A","args":${"[".repeat(1e6)}${"]".repeat(1e6)},"queue":"q"}`;
    expect(() => readDelayedItem(raw)).not.toThrow();
  });
});
