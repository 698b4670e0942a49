/** A process that runs files of tests in the sandbox, each in a new thread of thread-runner.ts, and tells when one has ended. */
import { join } from "node:path";
import { createVitest } from "vitest/node";

const [sandbox = ""] = process.argv.slice(2);
process.chdir(sandbox);
const vitest = await createVitest("test", {
  root: sandbox,
  config: join(sandbox, "vitest.config.ts"),
  watch: false,
  maxWorkers: 1,
  maxConcurrency: 1,
  runner: join(sandbox, "test/mutation/thread-runner.ts"),
  // Whoever waits for this process decides when a test hangs: it sees whether the machine is busy.
  testTimeout: 100_000_000,
  hookTimeout: 100_000_000,
  onConsoleLog: () => false,
  reporters: [{}],
});

process.on("message", async (file: string) => {
  vitest.state.filesMap.clear();
  vitest.state.errorsSet.clear();
  const { testModules } = await vitest.runTestFiles([join(sandbox, file)]);
  const error = testModules.flatMap((module) => module.errors())[0]?.message ?? "";
  process.send?.({ kind: "ended", error });
});
process.on("disconnect", () => process.exit());
process.send?.({ kind: "ready" });
