import { expect, test } from "vitest";
import { createRandom } from "./random.ts";
import { checkRates, drawFate, REQUEST_FAULTS } from "./request-faults.ts";

test("each fault is drawn about as often as its rate says, and none as often as is left", () => {
  const rates = Object.fromEntries(REQUEST_FAULTS.map((fault, index) => [fault, 0.01 * (index % 3)]));
  const random = createRandom(5);
  const counts = new Map<string | undefined, number>();
  const requests = 20_000;
  for (let n = 0; n < requests; n++) {
    const { fault } = drawFate(rates, random);
    counts.set(fault, (counts.get(fault) ?? 0) + 1);
  }
  for (const [fault, rate] of Object.entries(rates)) {
    expect(Math.abs((counts.get(fault) ?? 0) / requests - rate), fault).toBeLessThan(0.005);
  }
  expect((counts.get(undefined) ?? 0) / requests).toBeCloseTo(
    1 - Object.values(rates).reduce((sum, rate) => sum + rate, 0),
    1,
  );
});

test("other rates leave the series as it is", () => {
  const [one, other] = [createRandom(5), createRandom(5)];
  for (let n = 0; n < 50; n++) {
    const { isDone, share } = drawFate({ delay: 0.9 }, one);
    expect(drawFate({ "drop-reply": 0.1 }, other)).toMatchObject({ isDone, share });
  }
});

test("rates that are none are refused", () => {
  expect(() => checkRates({ delay: -0.1 })).toThrow("the rate of delay is -0.1; expected a share from 0 to 1");
  expect(() => checkRates({ delay: 0.6, full: 0.6 })).toThrow("expected at most 1");
  expect(() => checkRates({ nonsense: 0.1 } as object)).toThrow('no fault "nonsense"');
});
