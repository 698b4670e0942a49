import { writeSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** Names at the very end what has failed, a line each, so that a log of which only the end is kept tells it. */
export const failuresReporter: Reporter = {
  onTestRunEnd(modules, unhandledErrors) {
    const lines = [
      ...modules.flatMap((module) => failuresOf(module).map((name) => `FAILED ${module.relativeModuleId}${name}`)),
      ...unhandledErrors.map(({ name, message }) => `FAILED outside of a test: ${name}: ${message}`),
    ];
    // Behind all that other reporters print when the run ends.
    process.once("exit", () => {
      for (const line of lines) writeSync(2, `${line}\n`);
    });
  },
};

function failuresOf(module: TestModule): string[] {
  const tests = [...module.children.allTests("failed")].map(
    (test) => ` > ${test.fullName}: ${firstLine(test.result().errors)}`,
  );
  const suites = [...module.children.allSuites()].flatMap((suite) =>
    suite.errors().length > 0 ? [` > ${suite.fullName}: ${firstLine(suite.errors())}`] : [],
  );
  const own = module.errors().length > 0 ? [`: ${firstLine(module.errors())}`] : [];
  return [...own, ...suites, ...tests];
}

const MAX_CHARS = 300;

function firstLine(errors: readonly { readonly message: string }[] | undefined): string {
  return (errors?.[0]?.message ?? "").split("\n", 1)[0]?.slice(0, MAX_CHARS) ?? "";
}
