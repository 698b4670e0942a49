/** How many jobs of a class may run at the same time, and start in a period, across all drains. */
export interface LimitOptions {
  /** Jobs that may run at once. A drain's crash gives its places back when the drain is recovered. */
  readonly running?: number;
  /**
   * Jobs that may start within any period of this length. A start counts from the moment at which a drain takes the job, also if it gives
   * the job back.
   */
  readonly rate?: { readonly jobs: number; readonly periodMs: number };
  /**
   * Where in the payload's `args` stands what the limit is counted by: `[0, "tenant_id"]` is `args[0].tenant_id`. Each text or number
   * found there has the limit for itself; jobs without one share it. For an Active Job it is a path into its `arguments`.
   *
   * @default the class as a whole has the limit
   */
  readonly by?: readonly (number | string)[];
}

/** Members of `by`, and with them what one job costs Redis to read. */
const MAX_STEPS = 10;
const MAX_COUNT = 1_000_000;
/** Starts are kept for a period: a month. */
const MAX_PERIOD_MS = 31 * 86_400_000;

/** What was expected of these options, if they are wrong. */
export function limitProblem(options: unknown): string | undefined {
  const { running, rate, by, ...others } = Object(options) as Record<string, unknown>;
  const [name] = Object.keys(others);
  if (name !== undefined) return `${name}: unknown option; known: running, rate, by`;
  if (running === undefined && rate === undefined) return "expected an object with running or rate";
  if (running !== undefined && !isCount(running, MAX_COUNT))
    return `running: expected an integer from 1 to ${MAX_COUNT}`;
  const { jobs, periodMs, ...rest } = Object(rate === undefined ? { jobs: 1, periodMs: 1 } : rate) as Record<
    string,
    unknown
  >;
  if (!isCount(jobs, MAX_COUNT) || !isCount(periodMs, MAX_PERIOD_MS) || Object.keys(rest).length > 0) {
    return `rate: expected { jobs, periodMs }, integers from 1 to ${MAX_COUNT} and to ${MAX_PERIOD_MS} (a month)`;
  }
  const isPath = Array.isArray(by) && by.length > 0 && by.length <= MAX_STEPS && by.every(isStep);
  return by === undefined || isPath ? undefined : `by: expected a path of indexes and names, 1 to ${MAX_STEPS} of them`;
}

function isStep(step: unknown): boolean {
  return typeof step === "string" || step === 0 || isCount(step, MAX_COUNT);
}

function isCount(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
}
