import { describe, expect, test } from "vitest";
import type { ClaimedJob } from "../../src/core/store.ts";
import { changeOwn, encodePayload, forgetAttempts, parsePayload, readOwn } from "../../src/resque/payload.ts";

const argsOf = (job: ClaimedJob): readonly unknown[] | undefined => (job.kind === "job" ? job.args : undefined);

describe("a payload is read", () => {
  test.each([
    ["Ruby's", '{"class":"A","args":[1,"x",null,{"k":[]}]}', [1, "x", null, { k: [] }]],
    ["node-resque's, with its queue", '{"class":"A","queue":"q","args":[[],{}]}', [[], {}]],
    ["with members that nobody knows", '{"a":{"class":"B"},"args":[1],"class":"A","z":[]}', [1]],
    ["without args", '{"class":"A"}', []],
    ["with args null", '{"class":"A","args":null}', []],
    ["with white space", ' {\n"class" : "A" , "args" : [ 1 ] }\r\n\t', [1]],
    ["with escapes", '{"cl\\u0061ss":"\\u0041","args":["\\u2028\\ud83d\\ude00<&>"]}', ["\u2028😀<&>"]],
    ["with raw line separators", '{"class":"A","args":["\u2028\u2029"]}', ["\u2028\u2029"]],
    ["with a lone surrogate", '{"class":"A","args":["\\ud800"]}', ["\ud800"]],
    ["with duplicate members, of which the last counts", '{"class":"B","args":[1],"class":"A","args":[2]}', [2]],
    [
      "with numbers of every kind",
      '{"class":"A","args":[1.0,-0,1e3,0.1,9007199254740991]}',
      [1, -0, 1000, 0.1, 2 ** 53 - 1],
    ],
  ])("%s", (_what, raw, args) => {
    expect(parsePayload(raw)).toEqual({ kind: "job", class: "A", args, raw, attempt: 1, retries: 0 });
  });

  test("integers beyond 2^53 arrive as bigint, wherever they stand", () => {
    const raw = '{"class":"A","args":[12345678901234567890,{"id":[-9007199254740993]},9007199254740992,1]}';
    expect(argsOf(parsePayload(raw))).toEqual([
      12345678901234567890n,
      { id: [-9007199254740993n] },
      9007199254740992n,
      1,
    ]);
  });

  test("integers beyond 2^53 arrive as their digits, by option", () => {
    const raw = '{"class":"A","args":[12345678901234567890,-9007199254740993,1]}';
    expect(argsOf(parsePayload(raw, "text"))).toEqual(["12345678901234567890", "-9007199254740993", 1]);
  });

  test("large numbers that are no integers, and digits in texts, stay as they are", () => {
    const raw = '{"class":"A","args":[1234567890123456.5,1e300,"12345678901234567890",12345678901234567890.0]}';
    expect(argsOf(parsePayload(raw))).toEqual([
      1234567890123456.5,
      1e300,
      "12345678901234567890",
      1.2345678901234567e19,
    ]);
  });

  test.each(["bigint", "text"] as const)("`__proto__` is a member like another (%s)", (form) => {
    const raw =
      '{"class":"A","args":[{"__proto__":{"admin":true},"n":12345678901234567890}],"__proto__":{"class":"B"}}';
    const job = parsePayload(raw, form);
    const [arg] = argsOf(job) as [Record<string, unknown>];
    expect(job).toMatchObject({ kind: "job", class: "A" });
    expect(Object.keys(arg)).toEqual(["__proto__", "n"]);
    expect(arg["admin"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["admin"]).toBeUndefined();
  });

  test("class and args of a prototype do not count", () => {
    expect(parsePayload('{"__proto__":{"class":"A","args":[]}}').kind).toBe("malformed");
  });

  test("nesting of 5,000 is no matter", () => {
    const raw = `{"class":"A","args":${"[".repeat(5_000)}1${"]".repeat(5_000)}}`;
    expect(parsePayload(raw)).toMatchObject({ kind: "job", class: "A" });
  });

  test.each([100, 1_000, 100_000])("nesting of %i with a big integer throws nothing", (depth) => {
    const raw = `{"class":"A","args":[${"[".repeat(depth)}12345678901234567890${"]".repeat(depth)}]}`;
    expect(parsePayload(raw).raw).toBe(raw);
  });
});

describe("what is not a job is told with the reason", () => {
  test.each([
    ["not json", /^it is not valid JSON/],
    ["", /^it is not valid JSON/],
    ['{"class":"A","args":[]} x', /^it is not valid JSON/],
    ['{"class":"A","args":[]', /^it is not valid JSON/],
    ["{'class':'A'}", /^it is not valid JSON/],
    ["NaN", /^it is not valid JSON/],
    ['{"class":"A","args":[01]}', /^it is not valid JSON/],
    ['\ufeff{"class":"A","args":[]}', /^it is not valid JSON/],
    ["\u0000", /^it is not valid JSON/],
    ["null", /expected an object .* got null/],
    ["[]", /got an array/],
    ['"text"', /got a string/],
    ["42", /got a number/],
    ["12345678901234567890", /got a bigint/],
    ["true", /got a boolean/],
    ["{}", /expected class .* got nothing/],
    ['{"args":[1]}', /expected class .* got nothing/],
    ['{"class":1}', /expected class .* got a number/],
    ['{"class":null,"args":[]}', /expected class .* got null/],
    ['{"class":["A"],"args":[]}', /expected class .* got an array/],
    ['{"class":"","args":[]}', /expected class .* got an empty string/],
    ['{"class":"A","args":{}}', /expected args .* got a object/],
    ['{"class":"A","args":"x"}', /expected args .* got a string/],
    ['{"class":"A","args":0}', /expected args .* got a number/],
    ['{"class":"A","args":false}', /expected args .* got a boolean/],
  ])("%j", (raw, reason) => {
    expect(parsePayload(raw)).toEqual({
      kind: "malformed",
      raw,
      reason: expect.stringMatching(reason),
      isBinary: false,
    });
  });

  test("1 MB of garbage, with a reason of one line", () => {
    const job = parsePayload("x".repeat(1_000_000));
    expect(job).toMatchObject({ kind: "malformed" });
    if (job.kind === "malformed") expect(job.reason.length).toBeLessThan(300);
  });
});

describe("crashes", () => {
  const tail = (raw: string): string => raw.slice(-200);
  const mark = (raw: string, crashes: number): string | undefined => {
    const change = changeOwn(tail(raw), { ...readOwn(tail(raw)), crashes });
    return change && raw.slice(0, raw.length - change.cutBytes) + change.append;
  };

  test.each([
    '{"class":"A","args":[]}',
    '{"class":"A","args":[1.0,12345678901234567890,"é😀"]}',
    '{ "class" : "A" }',
    '{"class":"A","args":[{}]}',
    '{"class":"A","args":[{"x":1,"airlift":{"crashes":5}}]}',
    '{"class":"A","meta":{"x":1,"airlift":{"crashes":5}}}',
    '{"args":["}}"],"class":"A}"}',
    `{"class":"A","args":["${"x".repeat(5_000)}"]}`,
  ])("are counted at the payload's end, which is a payload still: %.60s", (raw) => {
    expect(readOwn(raw).crashes).toBeUndefined();
    const once = mark(raw, 1) as string;
    expect(once.startsWith(raw.slice(0, -1))).toBe(true);
    expect(JSON.parse(once)).toEqual({ ...JSON.parse(raw), airlift: { crashes: 1 } });
    expect(readOwn(once).crashes).toBe(1);
    const twice = mark(once, 2) as string;
    expect(twice).toBe(once.replace(/1\}\}$/, "2}}"));
    expect(parsePayload(twice)).toMatchObject({ attempt: 3, raw: twice });
  });

  test.each(["[]", "null", "{}", "{ }", "not json", '"x"', ""])("have no place in %j", (raw) => {
    expect(mark(raw, 1)).toBeUndefined();
  });

  test.each([
    '{"class":"A","airlift":{}}',
    '{"class":"A","airlift":{"crashes":"x"}}',
    '{"class":"A","airlift":{"crashes":-1}}',
    '{"class":"A","airlift":1}',
    '{"class":"A","airlift":null}',
  ])("are 0 where a producer uses the member for something else: %s", (raw) => {
    expect(readOwn(raw).crashes).toBeUndefined();
    expect(parsePayload(raw)).toMatchObject({ kind: "job", attempt: 1 });
  });

  test("of a member that is not read as JSON throw nothing", () => {
    expect(parsePayload('{"class":"A","airlift":{x}}').kind).toBe("malformed");
  });
});

describe("a payload is written as Ruby writes it", () => {
  test.each([
    [[], '{"class":"A","args":[]}'],
    [[1, "x", null, { k: [] }], '{"class":"A","args":[1,"x",null,{"k":[]}]}'],
    [[12345678901234567890n, { n: -1n }], '{"class":"A","args":[12345678901234567890,{"n":-1}]}'],
    [["é\u2028<&>/"], '{"class":"A","args":["é\u2028<&>/"]}'],
    [[new Date(0)], '{"class":"A","args":["1970-01-01T00:00:00.000Z"]}'],
  ])("%o", (args, expected) => {
    const raw = encodePayload("A", args);
    expect(raw).toBe(expected);
    expect(parsePayload(raw)).toMatchObject({ kind: "job", class: "A" });
  });

  test.each([
    ["", [], /class: expected a non-empty string, got an empty string/],
    [1, [], /class: .* got a number/],
    ["A", {}, /args: expected an array, got a object \(class A\)/],
    ["A", "x", /args: expected an array, got a string/],
    ["A", [Number.NaN], /args: NaN .* no JSON form \(class A\)/],
    ["A", [{ x: Number.POSITIVE_INFINITY }], /args: Infinity at "x"/],
    ["A", [() => 1], /no JSON form/],
    ["A", [Symbol("s")], /no JSON form/],
  ])("and what has no JSON form is refused: %o %o", (className, args, message) => {
    const encode = () => encodePayload(className as string, args as unknown[]);
    expect(encode).toThrow(message);
    expect(encode).toThrow(expect.objectContaining({ name: "UsageError" }));
  });

  test("undefined in an array is refused", () => {
    expect(() => encodePayload("A", [undefined])).toThrow(/no JSON form/);
  });

  test("a circle is refused", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    expect(() => encodePayload("A", circle)).toThrow(/args: .*circular.*\(class A\)/is);
  });
});

describe("Airlift's own member", () => {
  const apply = (raw: string, { cutBytes, append }: { cutBytes: number; append: string }): string =>
    raw.slice(0, raw.length - cutBytes) + append;

  test("is written last, and read again", () => {
    const own = { crashes: 1, retries: 2, unique: "ab12.x-y", id: "0190-ff" };
    const raw = encodePayload("A", [1], own);
    expect(raw).toBe('{"class":"A","args":[1],"airlift":{"crashes":1,"retries":2,"unique":"ab12.x-y","id":"0190-ff"}}');
    expect(readOwn(raw)).toEqual(own);
    expect(parsePayload(raw)).toMatchObject({ kind: "job", attempt: 4, retries: 2 });
    expect(Buffer.byteLength(raw)).toBeLessThan(400);
  });

  test("is not written when there is nothing to say", () => {
    expect(encodePayload("A", [], {})).toBe('{"class":"A","args":[]}');
  });

  test("forgets attempts and keeps the rest", () => {
    const raw = encodePayload("A", [1], { retries: 2, unique: "u1" });
    expect(apply(raw, forgetAttempts(raw))).toBe('{"class":"A","args":[1],"airlift":{"unique":"u1"}}');
  });

  test("goes when it has only counted attempts: the payload is its producer's again", () => {
    const raw = '{ "class" : "A", "args" : [1.0] ,"airlift":{"crashes":1,"retries":2}}';
    expect(apply(raw, forgetAttempts(raw))).toBe('{ "class" : "A", "args" : [1.0] }');
  });

  test.each(['{"class":"A","args":[1]}', "not json", '{"class":"A","airlift":{"x":1}}', ""])(
    "changes nothing where no attempt was counted: %s",
    (raw) => {
      expect(forgetAttempts(raw)).toEqual({ cutBytes: 0, append: "" });
    },
  );

  test.each(['{"retries":-1}', '{"retries":"2"}', '{"unique":"a b"}', '{"id":1}', "[]", '{"id":{}}'])(
    "is none of ours with %s",
    (member) => {
      expect(readOwn(`{"class":"A","args":[],"airlift":${member}}`)).toEqual({});
    },
  );
});

describe("an Active Job", () => {
  const wrapper = "ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper";
  const wrap = (jobData: unknown): string => JSON.stringify({ class: wrapper, args: [jobData] });

  test("is known by its own class, and the attempts that Rails made count", () => {
    const jobData = { job_class: "InvoiceJob", arguments: [1], executions: 2 };
    const raw = wrap(jobData).replace(/\}$/, ',"airlift":{"retries":1}}');
    const job = { class: "InvoiceJob", args: [jobData], raw, attempt: 4, retries: 3 };
    expect(parsePayload(raw)).toEqual({ kind: "job", ...job, isActiveJob: true });
  });

  test.each([null, {}, { job_class: 1 }, "x"])("without a job in it is a job of the wrapper's class: %j", (jobData) => {
    expect(parsePayload(wrap(jobData))).toMatchObject({ class: wrapper, args: [jobData], attempt: 1 });
  });
});
