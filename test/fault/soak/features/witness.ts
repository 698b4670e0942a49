import { createWriteStream } from "node:fs";
import { connect, type Socket } from "node:net";

/** Writes down every command that a Redis carries out, those inside scripts included, with the instant by its own clock. */
export interface Witness extends AsyncDisposable {
  /** The file that holds what `MONITOR` said. */
  readonly file: string;
  /** How often it lost sight of the Redis, as of one that is restarted. */
  readonly gaps: number;
  /** Ends when it sees. */
  readonly sees: Promise<void>;
  /** Ends when everything is in the file. */
  stop(): Promise<void>;
}

const AGAIN_MS = 1;

/**
 * Begins to watch. After a break it watches again before most clients are back: a Redis that reads its file takes MONITOR already, and whoever else
 * comes then is told to wait.
 */
export function watchRedis(port: number, file: string): Witness {
  const out = createWriteStream(file);
  let socket: Socket | undefined;
  let isStopped = false;
  let gaps = -1;
  let sawFirst = (): void => undefined;
  const sees = new Promise<void>((resolve) => {
    sawFirst = resolve;
  });

  const watch = (): void => {
    if (isStopped) return;
    socket = connect(port, "127.0.0.1");
    socket.once("connect", () => socket?.write("MONITOR\r\n"));
    let isWatching = false;
    socket.on("data", (data: Buffer) => {
      if (!isWatching) {
        isWatching = true;
        gaps++;
        sawFirst();
      }
      out.write(data);
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      // What was cut off is no line; the next one begins anew.
      if (isWatching) out.write("\n");
      setTimeout(watch, AGAIN_MS);
    });
  };
  watch();

  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    socket?.destroy();
    await new Promise<void>((resolve, reject) => {
      out.once("error", reject);
      out.end(resolve);
    });
  };
  return {
    file,
    get gaps() {
      return gaps;
    },
    sees,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
