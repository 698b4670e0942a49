import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { monotonicMs } from "./monotonic.ts";
import { createRandom, type Random } from "./random.ts";
import { refuse } from "./refusals.ts";
import { checkRates, drawFate, type Fate, type FaultRates, type RequestFault } from "./request-faults.ts";

export interface FaultProxyOptions {
  /** `http://host:port` of the gateway behind it. */
  readonly target: string;
  readonly seed: number;
  readonly rates?: FaultRates;
  /** After which its clients give up a request; what must not be answered in time is held for longer. */
  readonly clientTimeoutMs: number;
  /** How long after its client has gone on a late request may arrive. @default 3_000 */
  readonly latestMs?: number;
  /**
   * A client that has had no good answer for so long, the next fault's own time included, is spared until it has one: no client is cut off for
   * longer by faults that happen to follow each other. @default Infinity
   */
  readonly maxCutOffMs?: number;
  /** Told of each request when its fate has been fulfilled, and of each that arrives late. */
  readonly watch?: (passed: PassedRequest) => void;
}

/** A request that has reached Redis, or has been kept from it. */
export interface PassedRequest {
  readonly atMs: number;
  /** {@link FaultProxy.urlFor} */
  readonly client: string;
  readonly fault: RequestFault | undefined;
  /** It is one that came late, or a second time. */
  readonly isLate: boolean;
  readonly body: Buffer;
  /** What the gateway said; undefined if it was not asked, or gave no answer. */
  readonly reply: Buffer | undefined;
  /** Whether the client was told that. */
  readonly isDelivered: boolean;
}

/** Stands between clients and a gateway, and does to their requests what networks and services do. */
export interface FaultProxy extends AsyncDisposable {
  /** The proxy's own address: a client that is known by no name. */
  readonly url: string;
  /** The address for the client of this name, whose faults are a series of its own. */
  urlFor(client: string): string;
  /** Requests that have come from clients. */
  readonly requests: number;
  /** How many requests met each fault. */
  readonly injected: Readonly<Record<string, number>>;
  setRates(rates: FaultRates): void;
  /** For so long every request of every client meets this fault. */
  outage(fault: RequestFault, durationMs: number): Promise<void>;
  /** No more faults; ends when everything that was still to come late has arrived. */
  calm(): Promise<void>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

interface Client {
  readonly random: Random;
  goodMs: number;
}

/** Starts the proxy on a free loopback port. For a seed, the n-th request of a client meets the same fate in each run. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { seed, clientTimeoutMs, latestMs = 3_000, maxCutOffMs = Number.POSITIVE_INFINITY, watch } = options;
  const target = new URL(options.target);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const clients = new Map<string, Client>();
  const injected: Record<string, number> = {};
  const late = new Set<Promise<void>>();
  let rates = options.rates ?? {};
  let outage: RequestFault | undefined;
  let requests = 0;
  let isClosed = false;
  checkRates(rates);

  const costMs: FaultRates = {
    ...{ "stall-undone": clientTimeoutMs, "stall-done": clientTimeoutMs, "arrive-late": clientTimeoutMs },
    ...{ delay: clientTimeoutMs / 2, "status-429": 1_000 },
  };

  const clientOf = (name: string): Client => {
    const known = clients.get(name) ?? { random: createRandom(seed, "proxy", name), goodMs: monotonicMs() };
    clients.set(name, known);
    return known;
  };

  const fateOf = (client: Client): Fate => {
    const fate = drawFate(rates, client.random);
    if (outage) return { ...fate, fault: outage };
    const silentMs = monotonicMs() - client.goodMs + (costMs[fate.fault ?? "delay"] ?? 0);
    return silentMs > maxCutOffMs ? { ...fate, fault: undefined } : fate;
  };

  const ask = (path: string, from: IncomingMessage, body: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { authorization, "content-type": type } = from.headers;
      const headers = {
        "content-length": body.length,
        ...(authorization && { authorization }),
        ...(type && { "content-type": type }),
      };
      const { hostname, port } = target;
      const sent = request({ hostname, port, path, method: from.method, headers, agent }, (response) => {
        read(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), reject);
      });
      sent.once("error", reject);
      sent.end(body);
    });

  const serve = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const body = await read(from);
    requests++;
    const [, name = "", path = "/"] = /^\/~([^/]*)(\/.*)?$/.exec(from.url ?? "") ?? [undefined, "", from.url];
    const client = clientOf(name);
    const fate = fateOf(client);
    const { fault, share } = fate;
    if (fault) injected[fault] = (injected[fault] ?? 0) + 1;
    const tell = (reply: Buffer | undefined, isDelivered: boolean, isLate = false): void =>
      watch?.({ atMs: monotonicMs(), client: name, fault, isLate, body, reply, isDelivered });
    const carryOut = async (): Promise<Answer | undefined> => ask(path, from, body).catch(() => undefined);
    const comeLate = (delayMs: number): void => {
      const arrival = (async () => {
        await sleep(delayMs);
        if (isClosed) return;
        tell((await carryOut())?.body, false, true);
      })();
      late.add(arrival);
      void arrival.finally(() => late.delete(arrival));
    };
    const refused = fault && refuse(fault, share, path, body);

    if (fault === "delay") await sleep((share * clientTimeoutMs) / 2);
    if (fault === "arrive-late") comeLate(clientTimeoutMs + share ** 2 * latestMs);
    if (fault === "repeat-late") comeLate(share ** 2 * latestMs);
    const isUndone =
      fault === "drop-request" ||
      fault === "stall-undone" ||
      fault === "arrive-late" ||
      (refused && !(refused.mayBeDone && fate.isDone));
    const answer = isUndone ? undefined : await carryOut();
    const isGood = fault === undefined || fault === "delay" || fault === "repeat-late";
    tell(answer?.body, isGood && answer !== undefined);
    if (fault === "arrive-late" || fault === "stall-undone" || fault === "stall-done") return;
    if (refused) {
      to.writeHead(refused.status, refused.headers).end(refused.body);
    } else if (answer === undefined || fault === "drop-reply") {
      from.socket.destroy();
    } else {
      to.writeHead(answer.status, { "content-type": "application/json", "content-length": answer.body.length });
      if (fault === "cut-reply") {
        to.write(answer.body.subarray(0, Math.floor(share * answer.body.length)), () => from.socket.destroy());
      } else {
        to.end(answer.body);
        // What Redis itself was kept from doing is no good answer either.
        if (answer.status < 500) client.goodMs = monotonicMs();
      }
    }
  };

  const server = createServer((from, to) => {
    // A client that has hung up meanwhile is none to be told.
    serve(from, to).catch(() => to.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const close = async (): Promise<void> => {
    isClosed = true;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    agent.destroy();
    await closed;
  };
  return {
    url,
    urlFor: (client) => `${url}/~${client}`,
    get requests() {
      return requests;
    },
    injected,
    setRates(changed) {
      checkRates(changed);
      rates = changed;
    },
    async outage(fault, durationMs) {
      outage = fault;
      await sleep(durationMs);
      outage = undefined;
    },
    async calm() {
      rates = {};
      outage = undefined;
      while (late.size > 0) await Promise.all(late);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The timers keep no process alive that is otherwise done. */
function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs).unref());
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
