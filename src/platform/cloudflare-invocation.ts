/** What is needed of the context that a Worker's handlers are given. */
export interface WorkerContext {
  waitUntil(work: Promise<unknown>): void;
}

/** Builds something for one invocation: what that opens is of no use to another one. */
export type WorkerSetup<Env, Parts> = (env: Env, context: WorkerContext) => Parts;

/**
 * Runs with parts that are built for this invocation, and closed when it has ended, together with all that is to go on behind it. Parts that were given
 * as they are stay open.
 */
export async function useParts<Env, Parts extends object, T>(
  { setup, close }: { readonly setup: Parts | WorkerSetup<Env, Parts>; close(parts: Parts): Promise<unknown> },
  { env, context }: { readonly env: Env; readonly context: WorkerContext },
  run: (parts: Parts, context: WorkerContext) => Promise<T>,
): Promise<T> {
  if (typeof setup !== "function") return run(setup, context);
  const behind: Promise<unknown>[] = [];
  const own: WorkerContext = {
    waitUntil(work) {
      behind.push(work);
      context.waitUntil(work);
    },
  };
  const parts = setup(env, own);
  const end = async (): Promise<void> => {
    // What goes on may ask for more.
    while (behind.length > 0) await Promise.allSettled(behind.splice(0));
    await close(parts);
  };
  try {
    return await run(parts, own);
  } finally {
    context.waitUntil(end());
  }
}
