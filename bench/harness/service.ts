import { type ChildProcess, fork } from "node:child_process";

/** A helper process that listens on a loopback port and answers questions about itself. */
export interface Service {
  readonly port: number;
  ask(): Promise<ServiceFigures>;
  stop(): Promise<void>;
}

/** What such a process has used since it started. */
export interface ServiceFigures {
  readonly cpuMicros: number;
  /** HTTP requests received. */
  readonly requests: number;
}

/** Starts a bundled process, handing it `settings`, and waits until it listens. */
export async function startService(file: string, settings: object): Promise<Service> {
  const child = fork(file, [JSON.stringify(settings)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  process.once("exit", () => child.kill());
  const { port } = (await nextMessage(child)) as { port: number };
  return {
    port,
    async ask() {
      const answer = nextMessage(child);
      child.send("figures");
      return (await answer) as ServiceFigures;
    },
    async stop() {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await exited;
    },
  };
}

/** The next message of a child. Rejects if it exits first. */
export function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a benchmark process exited with ${code}`));
    child.once("exit", onExit);
    child.once("message", (message) => {
      child.off("exit", onExit);
      resolve(message);
    });
  });
}
