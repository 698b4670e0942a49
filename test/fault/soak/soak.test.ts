import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../../support/redis.ts";
import { lacking, lacksOfAll } from "./lacks.ts";
import { reportSoak } from "./report.ts";
import { runSoak, type SoakOptions } from "./run-soak.ts";
import { SHORT } from "./settings.ts";

/** `npm run soak` is the long one. */
const OPTIONS: Omit<SoakOptions, "seed"> = { jobs: 3_000, produceForMs: 12_000, tempo: SHORT };
const SEEDS = [20_261_120, 20_261_121, 20_261_122, 20_261_123];

describe.skipIf(!hasRedisServer())("four hosts under fire (which needs a redis-server)", () => {
  test("lose no job, change none, run none twice without a reason, and leave nothing behind", {
    timeout: 300_000,
  }, async () => {
    const lacks = await lacksOfAll(SEEDS, async (seed) => {
      const options = { ...OPTIONS, seed };
      const record = await runSoak(options);
      const { broken, lost, duplicates, table } = reportSoak(record, options);
      expect(broken, [...broken, table].join("\n")).toEqual([]);
      expect(lost).toBe(0);
      const { faults } = record;
      return lacking({
        "several kills": (faults["kill"] ?? 0) > 2,
        "several freezes past the lease": (faults["freeze past the lease"] ?? 0) > 1,
        "many kinds of faults": Object.keys(faults).length > 12,
        "a job that ran again for a kill or a freeze": duplicates.kill + duplicates.freeze > 0,
      });
    });
    expect(lacks).toEqual([]);
  });
});
