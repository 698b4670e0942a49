import type { EmitAppEvent } from "./app-event.ts";
import type { Clock } from "./clock.ts";
import { UsageError } from "./errors.ts";
import type { Logger } from "./job-context.ts";
import { within } from "./within.ts";

/** How an app opens what its jobs share: `{ db: () => openDb() }`. */
export type ResourceFactories = Readonly<Record<string, () => unknown>>;

/** What the factories open: `{ db: Db }`. */
export type ResourcesOf<Factories> = {
  readonly [Name in keyof Factories]: Factories[Name] extends () => infer Value ? Awaited<Value> : never;
};

/** What a job sees: `{ db: Promise<Db> }`. */
export type OpenedResources<Resources> = { readonly [Name in keyof Resources]: Promise<Resources[Name]> };

/** What the jobs of one app share. */
export interface Resources extends AsyncDisposable {
  /** Asking for a member opens it; whoever asks later gets the same. */
  readonly opened: OpenedResources<Record<string, unknown>>;
}

/** What one resource may take to close. A host that ends a process does not wait longer either. */
const CLOSE_LIMIT_MS = 5_000;

/**
 * Opens each resource at its first use, once for everybody; one that could not be opened is tried again at the next use. Disposing
 * closes what is open by `Symbol.asyncDispose` or `Symbol.dispose`, the last one first; values that have neither are left as they are.
 */
export function createResources(
  factories: ResourceFactories,
  clock: Clock,
  logger: Logger,
  emit?: EmitAppEvent,
): Resources {
  const opening = new Map<string, Promise<unknown>>();
  /** In the order in which they were open: one that uses another while it opens is closed before it. */
  const open: { readonly name: string; readonly value: unknown }[] = [];
  let isClosed = false;

  const use = (name: string, factory: () => unknown): Promise<unknown> => {
    const earlier = opening.get(name);
    if (earlier !== undefined) return earlier;
    if (isClosed) return Promise.reject(new UsageError(`the resource ${JSON.stringify(name)}: the app is closed`));
    const promise = (async () => {
      const startedMs = clock.nowMs();
      const value = await factory();
      open.push({ name, value });
      emit?.({ kind: "resource-opened", name, durationMs: clock.nowMs() - startedMs });
      return value;
    })();
    opening.set(name, promise);
    void promise.catch(() => opening.delete(name));
    return promise;
  };
  const close = async ({ name, value }: (typeof open)[number]): Promise<void> => {
    try {
      const isEnded = await within(clock, CLOSE_LIMIT_MS, dispose(value));
      if (!isEnded) logger.error(`the resource ${JSON.stringify(name)} did not close within ${CLOSE_LIMIT_MS} ms`);
    } catch (error) {
      logger.error(`the resource ${JSON.stringify(name)} could not be closed`, { error });
    }
  };

  const opened = Object.defineProperties(
    {},
    Object.fromEntries(
      Object.entries(factories).map(([name, factory]) => [name, { enumerable: true, get: () => use(name, factory) }]),
    ),
  );
  return {
    opened: opened as Resources["opened"],
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await within(clock, CLOSE_LIMIT_MS, Promise.allSettled(opening.values()));
      opening.clear();
      for (const each of open.splice(0).reverse()) await close(each);
    },
  };
}

async function dispose(value: unknown): Promise<void> {
  if (value === undefined || value === null) return;
  const { [Symbol.asyncDispose]: disposeAsync, [Symbol.dispose]: disposeNow } = value as Partial<
    AsyncDisposable & Disposable
  >;
  await (disposeAsync ?? disposeNow)?.call(value as never);
}
