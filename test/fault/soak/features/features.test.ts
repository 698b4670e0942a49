import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../../../support/redis.ts";
import { lacking, lacksOfAll } from "../lacks.ts";
import { reportFeatures } from "./report-features.ts";
import { type FeaturesOptions, runFeatures } from "./run-features.ts";
import { FEATURES_SHORT } from "./settings.ts";

/** `npm run soak -- --features` is the long one. */
const OPTIONS: Omit<FeaturesOptions, "seed"> = { produceForMs: 9_000, tempo: FEATURES_SHORT, hosts: 3 };
const SEEDS = [20_261_121, 20_261_122, 20_261_123, 20_261_124];

describe.skipIf(!hasRedisServer())("three hosts under fire, every feature in use (which needs a redis-server)", () => {
  test("keep what each feature promises", { timeout: 300_000 }, async () => {
    const lacks = await lacksOfAll(SEEDS, async (seed) => {
      const record = await runFeatures({ ...OPTIONS, seed });
      const { broken, untested, duplicates, table } = reportFeatures(record, seed);
      expect(broken, [...broken, table].join("\n")).toEqual([]);
      const { faults, receptions } = record;
      return [
        ...untested,
        ...lacking({
          "several kills": (faults["kill"] ?? 0) > 1,
          "a freeze past the lease": (faults["freeze past the lease"] ?? 0) > 0,
          "many kinds of faults": Object.keys(faults).length > 10,
          "all that may happen at the receiver": Object.keys(receptions).length === 4,
          "runs beyond the first": Object.values(duplicates).reduce((sum, count) => sum + count) > 0,
        }),
      ];
    });
    expect(lacks).toEqual([]);
  });
});
