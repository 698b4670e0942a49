import { defineConfig, type ViteUserConfig } from "vitest/config";
import { failuresReporter } from "./test/support/failures-reporter.ts";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // No module of this project keeps state, so files may share a thread's modules: several times faster.
    pool: "threads",
    isolate: false,
    // Many tests start processes: more of them at once than a small machine has cores only makes each one slower.
    maxConcurrency: 3,
    // Tests wait more than they work: a worker for each core, where Vitest would leave one core alone.
    maxWorkers: "100%",
    // Limits for a machine that is busy otherwise; no test takes more than a few seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", failuresReporter],
    expect: { requireAssertions: true },
  },
});

export default config;
