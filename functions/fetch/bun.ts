// The whole of it in Bun: bun dist/functions/fetch/bun.js
import { exit, handle, signal, tick } from "./app.ts";

declare const Bun: {
  cron(schedule: string, handler: () => Promise<void>): unknown;
  serve(options: {
    readonly hostname: string;
    readonly port: number;
    readonly idleTimeout: number;
    readonly fetch: (request: Request) => Response | Promise<Response>;
  }): { readonly url: URL; stop(): Promise<void> };
};

const { HOST = "0.0.0.0", PORT = "8000" } = process.env;

Bun.cron("* * * * *", tick);
// A call of /cron is silent for as long as its drain goes on, in seconds; Bun would hang up after 10.
const server = Bun.serve({ hostname: HOST, port: Number(PORT), idleTimeout: 120, fetch: handle });
console.log(`Listening on ${server.url}`);
signal.addEventListener("abort", () => void server.stop().then(exit));
