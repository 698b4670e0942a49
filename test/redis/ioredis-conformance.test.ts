import { ioredis } from "../../src/redis/ioredis.ts";
import { testRedisClient } from "../conformance/redis-client.ts";
import { setups } from "../support/setups.ts";

for (const setup of setups().filter(({ transport }) => transport === "tcp")) {
  testRedisClient(setup, {
    unreachable: (port) => ioredis(`redis://user:s3cret@127.0.0.1:${port}`),
  });
}
