import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, makeDirectory, type RunningCli, startCli, type TestDirectory } from "../cli/spawn-cli.ts";
import { connectTo, requestText, sendRaw } from "./raw-http.ts";

const TOKEN = "token-of-the-whole-system";
const JOBS = 'export const jobs = [{ class: "Noop", queue: "idle", perform: () => undefined }];\n';

/** `airlift dev` in a process of its own: what would end the process ends it. */
let directory: TestDirectory;
let cli: RunningCli;
let urls: { readonly api: string; readonly rest: string; readonly redis: string };
beforeAll(async () => {
  directory = await makeDirectory();
  const app = await directory.write("jobs.mjs", JOBS);
  const ports = ["--port", "0", "--rest-port", "0", "--redis-port", "0"];
  cli = startCli(["dev", "--app", app, "--queues", "idle", "--token", TOKEN, ...ports]);
  await eventually(() => cli.stdout.includes("lrange"));
  const [, api = "", rest = "", redis = ""] =
    /HTTP API {3}(\S+)[\s\S]*REST {7}(\S+)[\s\S]*Redis {6}(\S+)/.exec(cli.stdout) ?? [];
  urls = { api, rest, redis };
});
afterAll(async () => {
  cli.signal("SIGKILL");
  await cli.ended;
  await directory[Symbol.asyncDispose]();
});

const headers = { Authorization: `Bearer ${TOKEN}` };
const NONSENSE = [
  "",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "\x00\xff".repeat(1_000),
  "GET / HTTP/1.1\r\nHost: x\r\n",
  "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 40\r\n\r\nFLUSHALL\r\nRPUSH resque:queue:idle evil\r\n",
  "*-1\r\n",
  "*99999999\r\n$3\r\nGET\r\n",
  "*1\r\n$99999999999\r\nx",
  "*x\r\n$y\r\n",
  "*1\r\n*1\r\n*1\r\n",
  "*2\r\n$3\r\nGET\r\n$-5\r\n",
  "*1\r\n$0\r\n\r\n",
  "*3\r\n$4\r\nEVAL\r\n$9\r\nreturn {}\r\n$2\r\n-1\r\n",
];

test("airlift dev survives nonsense at each of its ports, and keeps its jobs", async () => {
  const post = (body: string): Promise<Response> =>
    fetch(`${urls.api}/queues/kept/jobs`, {
      ...{ method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body },
    });
  expect((await post('{"class":"Kept","args":[1]}')).status).toBe(201);
  for (const url of Object.values(urls)) {
    await Promise.all(NONSENSE.map((text) => sendRaw(url, text, { waitMs: 300 })));
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const socket = await connectTo(url);
        socket.write(NONSENSE[n % NONSENSE.length] as string);
        socket.resetAndDestroy();
      }),
    );
  }
  // Clients that are gone in the middle of thousands of jobs: whole lines may have been taken, and nothing else.
  const lines = Array.from({ length: 3_000 }, (_, n) => `{"class":"Line","args":[${n}]}\n`).join("");
  const ndjson = requestText("POST", "/queues/lines/jobs", {
    headers: { ...headers, "Content-Type": "application/x-ndjson", "Content-Length": String(lines.length + 1_000) },
  });
  await sendRaw(urls.api, [`${ndjson}${lines}{"class":"Half","ar`], { end: true, waitMs: 2_000 });
  expect((await post('{"class":"Kept","args":[2]}')).status).toBe(201);

  const status = (await (await fetch(`${urls.api}/status`, { headers })).json()) as {
    queues: { name: string; size: number }[];
  };
  expect(status.queues).toEqual(expect.arrayContaining([expect.objectContaining({ name: "kept", size: 2 })]));
  expect(status.queues.map(({ name }) => name)).not.toContain("idle");
  const peek = await (await fetch(`${urls.api}/queues/lines/jobs?limit=1000`, { headers })).json();
  const taken = (peek as { jobs: { raw: string }[] }).jobs.map(({ raw }) => raw);
  expect(taken).toEqual(lines.split("\n").slice(0, taken.length));
  expect([cli.stderr, cli.stdout.includes("error")]).toEqual(["", false]);
});
