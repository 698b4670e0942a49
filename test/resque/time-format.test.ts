import { expect, test } from "vitest";
import { failedEntry } from "../../src/resque/failed-entry.ts";
import { toFailedAt, toHeartbeat, toRunAt, toStarted } from "../../src/resque/time-format.ts";

const atMs = Date.UTC(2026, 10, 20, 18, 50, 57, 999);

test.each([
  ["run_at", toRunAt, "2026-11-20T18:50:57Z"],
  ["workers:heartbeat", toHeartbeat, "2026-11-20T18:50:57+00:00"],
  ["started", toStarted, "2026-11-20 18:50:57 +0000"],
  ["failed_at", toFailedAt, "2026/11/20 18:50:57 UTC"],
])("%s has the bytes of Ruby Resque 3.0", (_name, format, expected) => {
  expect(format(atMs)).toBe(expected);
  expect(format(atMs + 0.5)).toBe(expected);
});

test("days and months have two digits", () => {
  expect(toFailedAt(Date.UTC(2027, 0, 2, 3, 4, 5))).toBe("2027/01/02 03:04:05 UTC");
});

test("a failed entry has the order and the bytes of Ruby Resque 3.0", () => {
  const failure = { exception: "ArgumentError", message: "boom: bad thing", backtrace: ["jobs.rb:3:in `perform'"] };
  const about = { failedAtMs: Date.UTC(2026, 10, 20, 19, 47, 48), workerId: "vm:7017:bench", queue: "bench" };
  const { before, after } = failedEntry(failure, about);
  expect(`${before}{"class":"Boom","args":[1,"hi",{"k":[]}]}${after}`).toBe(
    '{"failed_at":"2026/11/20 19:47:48 UTC","payload":{"class":"Boom","args":[1,"hi",{"k":[]}]},"exception":"ArgumentError",' +
      `"error":"boom: bad thing","backtrace":["jobs.rb:3:in \`perform'"],"worker":"vm:7017:bench","queue":"bench"}`,
  );
});

test("a failed entry survives any text in it", () => {
  const text = '"}\\\n\u0000\u2028é😀\ud800';
  const { before, after } = failedEntry(
    { exception: text, message: text, backtrace: [text, text] },
    { failedAtMs: atMs, workerId: text, queue: text },
  );
  expect(JSON.parse(`${before}{}${after}`)).toEqual({
    failed_at: "2026/11/20 18:50:57 UTC",
    payload: {},
    // resque-web shows a name as it is: what could be markup there is not written.
    exception: text.replace('"', "_"),
    error: text,
    backtrace: [text, text],
    worker: text,
    queue: text,
  });
});
