import { expect, test } from "vitest";
import { RemoteJobError } from "../../src/core/remote-job-error.ts";

const failure = { exception: "Billing::Declined", message: "no", backtrace: ["app.rb:1", "app.rb:2"] };

test("it bears what the receiver told, and nothing of where that was read", () => {
  const error = new RemoteJobError(failure);
  expect([error.name, error.message, error.stack]).toEqual([
    "Billing::Declined",
    "no",
    "Billing::Declined: no\napp.rb:1\napp.rb:2",
  ]);
  expect([error.backtrace, error.isFinal, error.retryAfterMs]).toEqual([failure.backtrace, false, undefined]);
});

test("it says whether, and when, another attempt is worth it", () => {
  const { isFinal, retryAfterMs } = new RemoteJobError(failure, { isFinal: true, retryAfterMs: 5 });
  expect([isFinal, retryAfterMs]).toEqual([true, 5]);
});
