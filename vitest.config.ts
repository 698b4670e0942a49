import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // No module of this project keeps state, so files may share a thread's modules: several times faster.
    pool: "threads",
    isolate: false,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // A promise that nobody awaited fails the run.
    dangerouslyIgnoreUnhandledErrors: false,
    expect: { requireAssertions: true },
  },
});

export default config;
