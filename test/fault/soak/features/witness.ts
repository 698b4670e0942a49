import { createWriteStream } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Writes down every command that a Redis carries out, those inside scripts included, with the instant by its own clock. */
export interface Witness extends AsyncDisposable {
  /** The file that holds what `MONITOR` said. */
  readonly file: string;
  /** `redis://…`, a way to that Redis on which nothing is done unseen: while the witness does not see, connections wait. */
  readonly url: string;
  /** How often it had to look anew, as after a restart. */
  readonly looks: number;
  /** Ends when everything is in the file. */
  stop(): Promise<void>;
}

const AGAIN_MS = 2;

/** Begins to watch; ends when it sees. */
export async function watchRedis(port: number, file: string): Promise<Witness> {
  const out = createWriteStream(file);
  let monitor: Socket | undefined;
  let isStopped = false;
  let looks = 0;
  let seeing = Promise.withResolvers<void>();

  const watch = (): void => {
    if (isStopped) return;
    monitor = connect(port, "127.0.0.1");
    monitor.once("connect", () => monitor?.write("MONITOR\r\n"));
    let isSeeing = false;
    monitor.on("data", (data: Buffer) => {
      out.write(data);
      if (isSeeing) return;
      isSeeing = true;
      looks++;
      seeing.resolve();
    });
    monitor.on("error", () => undefined);
    monitor.once("close", () => {
      if (isSeeing) {
        // What was cut off is no line; the next one begins anew.
        out.write("\n");
        seeing = Promise.withResolvers();
      }
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
    void seeing.promise.then(() => {
      const redis = keep(connect(port, "127.0.0.1"));
      client.pipe(redis).pipe(client);
      client.once("close", () => redis.destroy());
      redis.once("close", () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  await seeing.promise;

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
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
