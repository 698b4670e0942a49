import { Hono } from "hono";
import { expect, test } from "vitest";
import { readSegment } from "../../src/http/read-segment.ts";

// Deno hands the address on as it was sent; elsewhere `.` and `..` are gone from it before anybody sees them.
test.each([
  ["https://h/queues/mail/jobs", "mail"],
  ["https://h/api/queues/mail/jobs?a=/b/c/d#/e/f", "mail"],
  ["https://h/queues/a%2Fb%3F/jobs", "a/b?"],
  ["https://h/queues/%2e/jobs", "."],
  ["https://h/queues/%2E%2e/jobs", ".."],
  ["https://h/queues/./jobs", "."],
])("of %s the queue is what the router takes for it", async (url, queue) => {
  const app = new Hono();
  for (const path of ["/queues/:queue/jobs", "/api/queues/:queue/jobs"]) {
    app.post(path, (c) => c.json([c.req.param("queue"), readSegment(c.req.url, 1)]));
  }
  const request = new Proxy(new Request("https://h/", { method: "POST" }), {
    get: (target, name) => (name === "url" ? url : Reflect.get(target, name, target)),
  });
  expect(await (await app.fetch(request)).json()).toEqual([queue, queue]);
});
