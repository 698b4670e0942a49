import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../../../support/redis.ts";
import { reportFeatures } from "./report-features.ts";
import { type FeaturesOptions, runFeatures } from "./run-features.ts";
import { FEATURES_SHORT } from "./settings.ts";

/** `npm run soak -- --features` is the long one. */
const OPTIONS: FeaturesOptions = { seed: 20_261_121, produceForMs: 9_000, tempo: FEATURES_SHORT, hosts: 3 };

describe.skipIf(!hasRedisServer())("three hosts under fire, every feature in use (which needs a redis-server)", () => {
  test("keep what each feature promises", { timeout: 300_000 }, async () => {
    const record = await runFeatures(OPTIONS);
    const { broken, verdicts, duplicates, table } = reportFeatures(record, OPTIONS.seed);
    expect(broken, table).toEqual([]);
    expect(verdicts.every(({ checked }) => checked > 0)).toBe(true);
    // It was no peace.
    const { faults, receptions } = record;
    expect(faults["kill"]).toBeGreaterThan(1);
    expect(faults["freeze past the lease"]).toBeGreaterThan(0);
    expect(Object.keys(faults).length).toBeGreaterThan(10);
    expect(Object.keys(receptions)).toHaveLength(4);
    expect(Object.values(duplicates).reduce((sum, count) => sum + count)).toBeGreaterThan(0);
  });
});
