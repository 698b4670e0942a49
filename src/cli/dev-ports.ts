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

/**
 * A port on 127.0.0.1: the one asked for, or else the first free one from `fallback` on that is not in `used`.
 *
 * @throws UsageError if it is taken
 */
export async function choosePort({ option, wanted, fallback }: PortRequest, used: readonly number[]): Promise<number> {
  if (wanted !== undefined) {
    if (wanted === 0 || (!used.includes(wanted) && (await isFree(wanted)))) return wanted;
    throw new UsageError(`dev: port ${wanted} on 127.0.0.1 is taken; expected a free one in ${option}`);
  }
  for (let port = fallback; port <= fallback + TRIES; port++) {
    if (!used.includes(port) && (await isFree(port))) return port;
  }
  throw new UsageError(
    `dev: the ports ${fallback} to ${fallback + TRIES} on 127.0.0.1 are taken; expected ${option} PORT`,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
