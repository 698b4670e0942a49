import { createAirlift } from "../../src/airlift.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { upstash } from "../../src/redis/upstash.ts";

/**
 * A host's process that drains once: its jobs wait for the key `go`, and are told at the end. Each drain that it wants to be started it asks
 * for on stdout, a line of JSON; the last line is its report.
 */
const { url, token, depth } = JSON.parse(process.argv[2] as string) as { url: string; token?: string; depth: number };

const redis = token === undefined ? ioredis(url) : upstash({ url, token });
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const ran: unknown[] = [];

const isOpen = async (): Promise<void> => {
  while ((await redis.command(["EXISTS", "go"])) === 0) await new Promise((resolve) => setTimeout(resolve, 30));
};
let opened: Promise<void> | undefined;

const airlift = createAirlift({
  ...{ redis, queues: ["q"], concurrency: 10 },
  jobs: [
    {
      class: "Noop",
      async perform([n]) {
        opened ??= isOpen();
        await opened;
        ran.push(n);
      },
    },
  ],
  scaleOut: { threshold: 100, maxDrains: 8, start: (request) => say({ start: request }) },
});
const report = await airlift.drain({ depth });
say({ report, ran });
await airlift.close();
