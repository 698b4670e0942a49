import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** The rest of the world, which jobs call. */
export interface WebServer extends AsyncDisposable {
  readonly url: string;
  /** Bodies of the POSTs to `/webhook`. */
  readonly posted: readonly unknown[];
  /** Requests to `/endless`, which are never answered. */
  readonly waiting: readonly ServerResponse[];
}

/** `/webhook` takes JSON, `/file` holds `hello`, `/endless` never answers, all else is 404. */
export async function startWebServer(): Promise<WebServer> {
  const posted: unknown[] = [];
  const waiting: ServerResponse[] = [];
  const server = createServer(async (request, response) => {
    if (request.url === "/endless") {
      waiting.push(response);
      return;
    }
    const body = await text(request);
    if (request.url === "/webhook") posted.push(JSON.parse(body));
    else if (request.url !== "/file") response.statusCode = 404;
    response.end("hello");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posted,
    waiting,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
