/** What happens outside of drains, too; told to the app's own `onEvent` alone. */
export type AppEvent =
  /** This app has enqueued jobs. Those of schedules are told by `schedule-ticked`. */
  | { readonly kind: "jobs-enqueued"; readonly enqueued: number; readonly replaced: number; readonly dropped: number }
  | {
      readonly kind: "hook-failed";
      readonly hook: string;
      /** Of a hook that concerns a job. */
      readonly queue?: string;
      readonly class?: string;
      readonly error: unknown;
    }
  | { readonly kind: "resource-opened"; readonly name: string; readonly durationMs: number };

/** Undefined if nobody listens. */
export type EmitAppEvent = ((event: AppEvent) => void) | undefined;
