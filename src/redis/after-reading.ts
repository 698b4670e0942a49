/**
 * Calls back when the time is up and all has been read that came in it. A loop that was kept busy, or a process that stood still, runs its
 * timers first, while the answer may have been there for long.
 *
 * @returns cancels it
 */
export function afterReading(ms: number, callback: () => void): () => void {
  let reading: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    reading = setImmediate(callback);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(reading);
  };
}
