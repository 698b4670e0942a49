import { convertV4MiniflareOptions, Miniflare, Response as MiniflareResponse } from "miniflare";

/** As in infra/cloudflare/*.jsonc. */
const COMPATIBILITY_DATE = "2026-06-01";

/** A module Worker's source, and what is around it. */
export interface TestWorker {
  readonly name: string;
  readonly script: string;
  readonly bindings?: Readonly<Record<string, string>>;
  readonly serviceBindings?: Readonly<Record<string, string | { readonly name: string; readonly entrypoint: string }>>;
  /** Binding → Queue. */
  readonly queueProducers?: Readonly<Record<string, string>>;
  readonly queueConsumers?: Readonly<Record<string, Readonly<Record<string, number | string>>>>;
}

/** Workers that run in workerd, without what it can do for Node. */
export interface Workerd extends AsyncDisposable {
  /** What the Workers have asked of the outside, such as Redis, if that is watched. */
  readonly outbound: { count: number; open: number; mostOpen: number };
  /** What they have logged by `createWorkerLogger`. */
  readonly logged: Readonly<Record<string, unknown>>[];
  /** Asks the first Worker. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Triggers the first Worker's cron; resolves with how that ended, `ok` or `exception`. */
  scheduled(): Promise<string>;
}

/** @param options.isWatched lets requests to the outside go through this process */
export async function startWorkerd(
  workers: readonly TestWorker[],
  { isWatched = false }: { readonly isWatched?: boolean } = {},
): Promise<Workerd> {
  const outbound = { count: 0, open: 0, mostOpen: 0 };
  const logged: Record<string, unknown>[] = [];
  const outboundService = async (request: Request): Promise<unknown> => {
    outbound.count++;
    outbound.mostOpen = Math.max(outbound.mostOpen, ++outbound.open);
    try {
      const { url, method, headers } = request;
      const body = method === "GET" ? null : await request.arrayBuffer();
      const answer = await fetch(url, { method, headers: [...headers], body });
      return new MiniflareResponse(await answer.arrayBuffer(), {
        status: answer.status,
        headers: [...answer.headers].filter(([name]) => name !== "content-encoding"),
      });
    } finally {
      outbound.open--;
    }
  };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      cf: false,
      handleStructuredLogs: ({ message }: { message: string }) => {
        if (message.startsWith("{")) logged.push(JSON.parse(message));
      },
      workers: workers.map((worker) => ({
        ...worker,
        modules: true,
        compatibilityDate: COMPATIBILITY_DATE,
        ...(isWatched && { outboundService }),
      })),
      // Its options are typed by a package that is not installed here.
    } as never),
  );
  await miniflare.ready;
  return {
    outbound,
    logged,
    fetch: async (path, init) => (await miniflare.dispatchFetch(`http://worker.test${path}`, init as never)) as never,
    async scheduled() {
      const worker = (await miniflare.getWorker()) as never as {
        scheduled(event: object): Promise<{ outcome: string }>;
      };
      return (await worker.scheduled({ cron: "* * * * *" })).outcome;
    },
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}
