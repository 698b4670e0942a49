// The whole of it in Deno: deno run --unstable-cron --allow-env --allow-net dist/functions/fetch/deno.js
import { exit, handle, signal, tick } from "./app.ts";

declare const Deno: {
  readonly cron?: (name: string, schedule: string, handler: () => Promise<void>) => Promise<void>;
  serve(
    options: { readonly hostname: string; readonly port: number },
    handler: (request: Request) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> };
};

const { HOST = "0.0.0.0", PORT = "8000" } = process.env;

// Before serve(), as Deno Deploy wants it; without --unstable-cron there is none.
void Deno.cron?.("drain", "* * * * *", tick);
const server = Deno.serve({ hostname: HOST, port: Number(PORT) }, handle);
signal.addEventListener("abort", () => void server.shutdown().then(exit));
