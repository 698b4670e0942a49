import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test, vi } from "vitest";
import { ioredis } from "../../src/redis/ioredis.ts";
import { upstash } from "../../src/redis/upstash.ts";
import { eventually, makeDirectory, type RunningCli, runCli, startCli } from "./spawn-cli.ts";

// Each test starts processes, which a busy machine lets wait.
vi.setConfig({ testTimeout: 60_000 });

const ANY_PORTS = ["--port", "0", "--rest-port", "0", "--redis-port", "0"];

/** What the banner says. */
async function readBanner({ stdout }: { readonly stdout: string }) {
  const find = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? "";
  return {
    api: find(/HTTP API +(http:\/\/127\.0\.0\.1:\d+) /),
    rest: find(/REST +(http:\/\/127\.0\.0\.1:\d+) /),
    redis: find(/Redis +(redis:\/\/127\.0\.0\.1:\d+) /),
    token: find(/token (\S+)/),
  };
}

async function isUp(cli: RunningCli) {
  await eventually(() => cli.stdout.includes("Try in another terminal:"));
  return readBanner(cli);
}

test("dev --once works the examples, one line a job, and ends", async () => {
  const { status, stdout, stderr } = await runCli(["dev", "--once", ...ANY_PORTS]);
  expect(stderr).toBe("");
  expect(stdout).toContain("enqueued 6 example jobs");
  const time = "\\d\\d:\\d\\d:\\d\\d";
  const took = "[\\d.]+ m?s";
  expect(stdout).toMatch(new RegExp(`^${time}  mail     SendEmail      done    ${took}$`, "m"));
  expect(stdout).toMatch(new RegExp(`^${time}  reports  BuildReport    done    ${took}$`, "m"));
  expect(stdout).toMatch(
    new RegExp(
      `^${time}  billing  ChargeCard     failed  PaymentDeclined: order 1002: over the card's limit  ${took}$`,
      "m",
    ),
  );
  expect(stdout).toMatch(/did {6}6 jobs in .*: 5 succeeded, 1 failed\n/);
  expect(stdout.match(new RegExp(`^${time} `, "gm"))).toHaveLength(6);
  expect(status).toBe(0);
});

test("dev takes jobs by HTTP, works them with the app given, shows its Redis, and ends at Ctrl-C", async () => {
  await using directory = await makeDirectory();
  const app = await directory.write(
    "app.ts",
    `import { createAirlift, defineJob } from "airlift";
     import { upstash } from "airlift/redis/upstash";
     const greet = defineJob<[string]>({ class: "Greet", queue: "hall", perform: ([who], job) => job.log.info("hello " + who) });
     export const airlift = createAirlift({ redis: upstash(), queues: ["hall"], jobs: [greet] });`,
  );
  const cli = startCli(["dev", "--app", app, "--interval", "100ms", ...ANY_PORTS]);
  const { api, rest, redis, token } = await isUp(cli);

  // The line to paste, as it stands there.
  expect(cli.stdout).toContain(
    `curl -X POST ${api}/queues/hall/jobs -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"class":"Greet","args":[]}'`,
  );
  const response = await fetch(`${api}/queues/hall/jobs`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: '{"class":"Greet","args":["Ada"]}',
  });
  expect(response.status).toBe(201);
  await eventually(() => /hall {5}Greet {10}done/.test(cli.stdout));
  expect(cli.stdout).toContain("hello Ada");
  expect((await fetch(`${api}/status`)).status).toBe(401);

  const tcp = ioredis(redis);
  const http = upstash({ url: rest, token });
  await eventually(async () => (await tcp.command(["GET", "resque:stat:processed"])) === "1");
  expect(await http.command(["GET", "resque:stat:processed"])).toBe("1");
  await tcp.close();

  // The line that says that nothing is left comes last.
  await eventually(() => /1 job in .*: 1 succeeded/.test(cli.stdout));
  const lines = cli.stdout.split("\n").length;
  await eventually(async () => Number(await http.command(["INCR", "looks"])) > 20); // Several idle drains later:
  expect(cli.stdout.split("\n")).toHaveLength(lines);

  cli.signal("SIGINT");
  const { status, stderr } = await cli.ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  await expect(http.command(["PING"])).rejects.toMatchObject({ reason: "unavailable" });
});

test("dev says which port is taken: the next free one is used, unless it was asked for", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = String((server.address() as { port: number }).port);
  const asked = await runCli(["dev", "--port", port]);
  expect(asked.stderr).toBe(`airlift: dev: port ${port} on 127.0.0.1 is taken; expected a free one in --port\n`);
  expect(asked.status).toBe(2);
  server.close();
});

test("two dev systems run side by side", async () => {
  const both = [startCli(["dev"]), startCli(["dev"])] as const;
  const [a, b] = await Promise.all(both.map(isUp));
  expect(new Set([a?.api, a?.rest, a?.redis, b?.api, b?.rest, b?.redis]).size).toBe(6);
  expect(both.map(({ stdout }) => stdout).join("")).toMatch(/note +port 8080 is taken, so it is 80\d\d/);
  for (const cli of both) cli.signal("SIGINT");
  const ends = await Promise.all(both.map(({ ended }) => ended));
  expect(ends).toMatchObject([0, 1].map(() => ({ status: 0, stderr: "" })));
});
