import { upstash } from "../../src/redis/upstash-edge.ts";
import { testRedisClient } from "../conformance/redis-client.ts";
import { type Setup, setups } from "../support/setups.ts";

function atTheEdge(setup: Setup): Setup {
  return {
    ...setup,
    async start() {
      const running = await setup.start();
      const { url, token = "" } = running;
      const newClient = () => upstash({ url, token }); // keeps nothing open that would be to close
      return { ...running, client: newClient(), newClient };
    },
  };
}

for (const setup of setups().filter(({ transport }) => transport === "http")) {
  testRedisClient(atTheEdge(setup), {
    unreachable: (port) => upstash({ url: `http://127.0.0.1:${port}`, token: "s3cret-token" }),
    unauthorized: ({ url }) => upstash({ url, token: "wrong-token" }),
  });
}
