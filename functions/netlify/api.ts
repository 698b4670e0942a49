// The HTTP API: enqueues jobs, and shows and operates the queues. A role without a token is closed.
import { createHttpApp } from "airlift/http";
import { airlift } from "./app.ts";

const { ENQUEUE_TOKEN, OPERATE_TOKEN } = process.env;
const app = createHttpApp(airlift, {
  tokens: { enqueue: ENQUEUE_TOKEN || undefined, operate: OPERATE_TOKEN || undefined },
});

export default (request: Request) => app.fetch(request);
export const config = { path: "/*" };
