import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseSoakOptions, SoakUsageError } from "./options.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

test("a soak is 100,000 jobs over some minutes, unless it is told otherwise", () => {
  expect(parseSoakOptions([])).toMatchObject({ jobs: 100_000, seed: 1, produceForMs: 240_000 });
  const options = parseSoakOptions(["--jobs", "50", "--seed", "7", "--minutes", "0.5"]);
  expect(options).toMatchObject({ jobs: 50, seed: 7, produceForMs: 30_000 });
  expect(parseSoakOptions(["--help"])).toBe("help");
});

test("that of the features has as many jobs as its time brings", () => {
  expect(parseSoakOptions(["--features", "--fast"])).toMatchObject({ isOfFeatures: true, produceForMs: 240_000 });
  expect(parseSoakOptions([])).toMatchObject({ isOfFeatures: false });
});

test.each([
  [["--features", "--jobs", "7"], "--jobs: with --features the number of jobs comes from --minutes"],
  [["--jobs", "0"], '--jobs: got "0", expected a whole number from 1 to 10000000'],
  [["--seed", "x"], '--seed: got "x", expected a whole number from 0 to 9007199254740991'],
  [["--minutes", "0"], '--minutes: got "0", expected a number above 0, at most 600'],
  [["--nonsense"], "Unknown option '--nonsense'"],
])("%j is refused", (argv, message) => {
  expect(() => parseSoakOptions(argv)).toThrow(SoakUsageError);
  expect(() => parseSoakOptions(argv)).toThrow(message);
});

test("a wrong command line ends with status 2 and one line", async () => {
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(process.execPath, [MAIN, "--jobs", "many"], (error, _stdout, stderr) =>
      resolve({ code: error?.code, stderr }),
    );
  });
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: '--jobs: got "many", expected a whole number from 1 to 10000000\n',
  });
});
