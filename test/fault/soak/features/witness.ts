import { createWriteStream } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { until } from "../../../support/until.ts";

/** Writes down every command that a Redis carries out, those inside scripts included, with the instant by its own clock. */
export interface Witness extends AsyncDisposable {
  /** The file that holds what `MONITOR` said. */
  readonly file: string;
  /** `redis://…`, a way to that Redis on which nothing is done unseen: while the witness does not see, connections wait. */
  readonly url: string;
  /** How often it had to look anew, as after a restart. */
  readonly looks: number;
  /**
   * Cuts all who are on that way, whatever they wait for, and ends when what they have had done is seen. Nobody comes through again before the witness
   * has looked anew: a Redis that is ended now has done nothing unseen.
   */
  cut(): Promise<void>;
  /** Ends when everything is in the file. */
  stop(): Promise<void>;
}

const AGAIN_MS = 2;
/** Of what was seen last. */
const TAIL_CHARS = 10_000;

/** Begins to watch; ends when it sees. */
export async function watchRedis(port: number, file: string): Promise<Witness> {
  const out = createWriteStream(file);
  let monitor: Socket | undefined;
  let isStopped = false;
  let looks = 0;
  let isOpen = false;
  let opened = Promise.withResolvers<void>();
  let tail = "";

  const shut = (): void => {
    if (!isOpen) return;
    isOpen = false;
    opened = Promise.withResolvers();
  };

  const watch = (): void => {
    if (isStopped) return;
    monitor = connect(port, "127.0.0.1");
    monitor.once("connect", () => monitor?.write("MONITOR\r\n"));
    let isSeeing = false;
    monitor.on("data", (data: Buffer) => {
      out.write(data);
      tail = (tail + data.toString("latin1")).slice(-TAIL_CHARS);
      if (isSeeing) return;
      isSeeing = true;
      looks++;
      isOpen = true;
      opened.resolve();
    });
    monitor.on("error", () => undefined);
    monitor.once("close", () => {
      // What was cut off is no line; the next one begins anew.
      if (isSeeing) out.write("\n");
      shut();
      setTimeout(watch, AGAIN_MS);
    });
  };
  watch();

  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  };
  const relay = createServer((client) => {
    keep(client);
    void opened.promise.then(() => {
      if (client.destroyed) return;
      const redis = keep(connect(port, "127.0.0.1"));
      client.pipe(redis).pipe(client);
      client.once("close", () => redis.destroy());
      redis.once("close", () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  await opened.promise;

  const cut = async (): Promise<void> => {
    shut();
    for (const socket of sockets) socket.destroy();
    const mark = `cut ${looks} ${Math.random()}`;
    const asking = connect(port, "127.0.0.1").on("error", () => undefined);
    asking.write(`ECHO "${mark}"\r\n`);
    await until(() => tail.includes(mark), { timeoutMs: 60_000 });
    asking.destroy();
  };

  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    for (const socket of [...sockets, monitor]) socket?.destroy();
    relay.close();
    await new Promise<void>((resolve, reject) => {
      out.once("error", reject);
      out.end(resolve);
    });
  };
  return {
    file,
    url: `redis://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    get looks() {
      return looks;
    },
    cut,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
