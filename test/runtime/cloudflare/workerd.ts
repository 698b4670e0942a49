import { randomUUID } from "node:crypto";
import { convertV4MiniflareOptions, Miniflare, Response as MiniflareResponse } from "miniflare";
import { until } from "../../support/until.ts";

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
  /** Triggers the first Worker's cron; resolves with how that ended, `ok` or `exception`, when all has come in that was logged until then. */
  scheduled(): Promise<string>;
  /** Waits for all that was logged up to now: lines come by another way than answers. */
  allLogged(): Promise<void>;
}

/** Logs what it is asked to. */
const MARKING: TestWorker = {
  name: "airlift-test-mark",
  script: `export default {
    async fetch(request) {
      console.log(JSON.stringify({ mark: await request.text() }));
      return new Response();
    },
  };`,
};

/** @param options.isWatched lets requests to the outside go through this process */
export async function startWorkerd(
  workers: readonly TestWorker[],
  { isWatched = false }: { readonly isWatched?: boolean } = {},
): Promise<Workerd> {
  const outbound = { count: 0, open: 0, mostOpen: 0 };
  const logged: Record<string, unknown>[] = [];
  const marks = new Set<unknown>();
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
        if (!message.startsWith("{")) return;
        const line: Record<string, unknown> = JSON.parse(message);
        if ("mark" in line) marks.add(line["mark"]);
        else logged.push(line);
      },
      workers: [...workers, MARKING].map((worker) => ({
        ...worker,
        modules: true,
        compatibilityDate: COMPATIBILITY_DATE,
        ...(isWatched && { outboundService }),
      })),
      // Its options are typed by a package that is not installed here.
    } as never),
  );
  await miniflare.ready;
  const allLogged = async (): Promise<void> => {
    const body = randomUUID();
    const marking = (await miniflare.getWorker(MARKING.name)) as never as { fetch: typeof fetch };
    await marking.fetch("http://mark.test/", { method: "POST", body });
    // All Workers write to one stream.
    await until(() => marks.has(body));
  };
  return {
    outbound,
    logged,
    fetch: async (path, init) => (await miniflare.dispatchFetch(`http://worker.test${path}`, init as never)) as never,
    async scheduled() {
      const worker = (await miniflare.getWorker()) as never as {
        scheduled(event: object): Promise<{ outcome: string }>;
      };
      const { outcome } = await worker.scheduled({ cron: "* * * * *" });
      await allLogged();
      return outcome;
    },
    allLogged,
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}
