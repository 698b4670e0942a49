/** Milliseconds of the machine's own clock, the same in all its processes whatever they take the time of day for. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
