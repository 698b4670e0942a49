import { hasRedisServer } from "../../support/redis.ts";
import { monotonicMs } from "../harness/monotonic.ts";
import { reportFeatures } from "./features/report-features.ts";
import { runFeatures } from "./features/run-features.ts";
import { HELP, parseSoakOptions, type SoakCommand, SoakUsageError } from "./options.ts";
import { reportSoak } from "./report.ts";
import { runSoak } from "./run-soak.ts";

/** `npm run soak`: 0 if every promise was kept, 1 if one was broken or never put to the test, 2 for a wrong command line. */
try {
  const options = parseSoakOptions(process.argv.slice(2));
  if (options === "help") console.log(HELP);
  else await soak(options);
} catch (error) {
  if (!(error instanceof SoakUsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

async function soak(options: SoakCommand): Promise<void> {
  if (!hasRedisServer()) throw new SoakUsageError("soak: no redis-server in PATH; expected one of 6.2 or later");
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  let toldMs = monotonicMs();
  const onProgress = (text: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else if (monotonicMs() - toldMs > 30_000) {
      toldMs = monotonicMs();
      process.stderr.write(`${text}\n`);
    }
  };
  try {
    const asked = { ...options, signal: controller.signal, onProgress };
    const { table, broken, untested } = options.isOfFeatures
      ? reportFeatures(await runFeatures(asked), options.seed)
      : { ...reportSoak(await runSoak(asked), options), untested: [] };
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    console.log(table);
    for (const text of broken.slice(0, 100)) console.log(`\nBROKEN: ${text}`);
    if (broken.length > 100) console.log(`\n… and ${broken.length - 100} more`);
    for (const text of untested) console.log(`\nUNTESTED, as it went: ${text}`);
    if (broken.length + untested.length > 0) process.exitCode = 1;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    console.error("interrupted: everything that it started has ended");
    // Producers may not have noticed.
    process.exit(130);
  }
}
