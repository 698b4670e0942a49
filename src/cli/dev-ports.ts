import { createServer } from "node:net";
import { UsageError } from "../core/errors.ts";

/** Where `airlift dev` listens if the ports are free. */
export const DEV_PORTS = { api: 8080, rest: 8079, redis: 6380 } as const;

/** How many ports above the first are tried. */
const TRIES = 20;

export interface PortRequest {
  /** The option that sets it, for messages. */
  readonly option: string;
  /** What the user asked for; 0 for any. */
  readonly wanted: number | undefined;
  readonly fallback: number;
}

/** What was started, and a remark if it is not on its usual port. */
export interface OnPort<Server> {
  readonly server: Server;
  readonly remarks: readonly string[];
}

/**
 * Starts something on 127.0.0.1: on the port asked for, or else on the first free one from `fallback` on.
 *
 * @throws UsageError if the port is taken; otherwise what `start` throws
 */
export async function startOnPort<Server>(
  request: PortRequest,
  start: (port: number) => Promise<Server>,
): Promise<OnPort<Server>> {
  const { option, wanted, fallback } = request;
  const last = wanted ?? fallback + TRIES;
  for (let port = wanted ?? fallback; port <= last; port++) {
    try {
      const server = await start(port);
      const isUsual = wanted !== undefined || port === fallback;
      return { server, remarks: isUsual ? [] : [`port ${fallback} is taken, so it is ${port}`] };
    } catch (error) {
      // Asked after the attempt: a port that was free before it may be another program's by then.
      if (port === 0 || (await isFree(port))) throw error;
    }
  }
  const ports = wanted === undefined ? `the ports ${fallback} to ${last}` : `port ${wanted}`;
  const are = wanted === undefined ? "are" : "is";
  throw new UsageError(`dev: ${ports} on 127.0.0.1 ${are} taken; expected a free one in ${option}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}
