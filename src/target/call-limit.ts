/** A signal that is aborted with another, or when the time is over. To be ended when the call is. */
export function createCallLimit(signal: AbortSignal, limitMs: number): { readonly signal: AbortSignal; end(): void } {
  if (limitMs === Number.POSITIVE_INFINITY) return { signal, end: () => undefined };
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  const timer = setTimeout(onAbort, limitMs);
  signal.addEventListener("abort", onAbort, { once: true });
  const end = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  };
  return { signal: controller.signal, end };
}
