import { subscribe } from "node:diagnostics_channel";
import type { ServiceFigures } from "./service.ts";

/** The child's side of a service: tells the port, then answers every question with its figures. */
export function serveFigures(port: number): void {
  let requests = 0;
  subscribe("http.server.request.start", () => {
    requests += 1;
  });
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system, requests } satisfies ServiceFigures);
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ port });
}
