import { type AddressInfo, connect, createServer } from "node:net";
import { serveFigures } from "./serve-figures.ts";

/** A TCP relay that holds back what clients send for `delayMs`: a longer wire, its cost on the way there. */
const { port, delayMs } = JSON.parse(process.argv[2]!) as { port: number; delayMs: number };

const relay = createServer((client) => {
  const server = connect(port, "127.0.0.1");
  client.setNoDelay(true);
  server.setNoDelay(true);
  client.on("data", (chunk) => setTimeout(() => server.write(chunk), delayMs));
  server.on("data", (chunk) => client.write(chunk));
  client.on("close", () => server.destroy());
  server.on("close", () => client.destroy());
  client.on("error", () => server.destroy());
  server.on("error", () => client.destroy());
});
relay.listen(0, "127.0.0.1", () => serveFigures((relay.address() as AddressInfo).port));
