import { constants } from "node:os";

export { guardLateErrors, type LateErrorGuard } from "./guard-late-errors.ts";

/** The signals that ask a process to stop: Ctrl-C, an init system or container, Ruby Resque's graceful stop. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGQUIT"] as const;

export interface StopListener {
  /** Aborted at the first signal. */
  readonly signal: AbortSignal;
  dispose(): void;
}

export interface StopListenerOptions {
  /** Told of the first signal by name. */
  readonly onStop?: (name: string) => void;
  /** Told of the second, with the exit status that shells expect (128 + the signal's number). The process should end now. */
  readonly onForce: (name: string, status: number) => void;
}

/** Turns QUIT, TERM and INT into an AbortSignal, and a second one of any of them into a call of `onForce`. */
export function listenForStop(options: StopListenerOptions): StopListener {
  const controller = new AbortController();
  const take = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      options.onForce(name, 128 + (constants.signals[name] ?? 0));
      return;
    }
    controller.abort(new Error(`stopped by ${name}`));
    options.onStop?.(name);
  };
  for (const name of STOP_SIGNALS) process.on(name, take);
  return {
    signal: controller.signal,
    dispose() {
      for (const name of STOP_SIGNALS) process.off(name, take);
    },
  };
}
