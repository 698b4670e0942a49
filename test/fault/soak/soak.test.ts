import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../../support/redis.ts";
import { reportSoak } from "./report.ts";
import { runSoak, type SoakOptions } from "./run-soak.ts";
import { SHORT } from "./settings.ts";

/** `npm run soak` is the long one. */
const OPTIONS: SoakOptions = { jobs: 3_000, seed: 20_261_120, produceForMs: 12_000, tempo: SHORT };

describe.skipIf(!hasRedisServer())("four hosts under fire (which needs a redis-server)", () => {
  test("lose no job, change none, run none twice without a reason, and leave nothing behind", {
    timeout: 300_000,
  }, async () => {
    const record = await runSoak(OPTIONS);
    const { broken, lost, duplicates, table } = reportSoak(record, OPTIONS);
    expect(broken, table).toEqual([]);
    expect(lost).toBe(0);
    // It was no peace.
    const { faults } = record;
    expect(faults["kill"]).toBeGreaterThan(2);
    expect(faults["freeze past the lease"]).toBeGreaterThan(1);
    expect(Object.keys(faults).length).toBeGreaterThan(12);
    expect(duplicates.kill + duplicates.freeze).toBeGreaterThan(0);
  });
});
