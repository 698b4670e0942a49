import { afterAll, beforeAll, vi } from "vitest";
import { upstash } from "../../src/redis/upstash.ts";
import { testRedisClient } from "../conformance/redis-client.ts";
import { setups } from "../support/setups.ts";

// What makes the client take fetch, as it does wherever node:http is not the host's own.
beforeAll(() => void vi.stubEnv("NODE_USE_ENV_PROXY", "1"));
afterAll(() => void vi.unstubAllEnvs());

for (const setup of setups().filter(({ transport }) => transport === "http")) {
  testRedisClient(setup, {
    unreachable: (port) => upstash({ url: `http://127.0.0.1:${port}`, token: "s3cret-token" }),
    unauthorized: ({ url }) => upstash({ url, token: "wrong-token" }),
  });
}
