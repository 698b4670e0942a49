import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProgram } from "../../src/cli/program.ts";
import { type RunningSetup, setups } from "../support/setups.ts";
import { hostileJson } from "./hostile-json.ts";
import { runHere, UNSAFE_OUTPUT } from "./run-here.ts";
import { fuzzing } from "./settings.ts";

/** Neither may be seen in what a command prints. */
const TOKEN = "canary-token-c0ffee";
const PASSWORD = "canary-password-5ec4e7";
const PAYLOAD = "canary-payload-d15ea5e";

interface KnownCommand {
  readonly path: readonly string[];
  readonly options: readonly { readonly flag: string; readonly takesValue: boolean }[];
}

/** All commands of the program with their options, as it defines them. */
function commandsOf(command: ReturnType<typeof createProgram>, path: readonly string[] = []): KnownCommand[] {
  const options = command.options.map(({ long, short, required, optional }) => ({
    flag: (long ?? short) as string,
    takesValue: required || optional,
  }));
  const own = command.commands.length === 0 ? [{ path, options }] : [];
  return [...own, ...command.commands.flatMap((each) => commandsOf(each, [...path, each.name()]))];
}

/** Those that go on until they are told to stop; a process of its own is needed for them. */
const ENDLESS = ["work", "dev", "gateway"];
const commands = commandsOf(createProgram()).filter(({ path }) => !ENDLESS.includes(path[0] as string));

const numbers = "0 1 -1 1e9 0x10 -0 NaN Infinity １ 1.5 +1 1_000 9007199254740993 99999999999999999999 1n ' ' 08".split(
  " ",
);
const times = [
  "2026-11-20",
  "2026-13-45",
  "2h",
  "-2h",
  "9e99y",
  "1e400s",
  "+010000-01-01T00:00:00Z",
  "2026-11-20T24:00:00Z",
  "today",
];
const texts = [
  ...[
    "",
    " ",
    "-",
    "--",
    "-1",
    "--json",
    "=",
    "q",
    "mail=2",
    "*",
    "[",
    "a,b",
    "a,,b",
    "\u0000",
    "\u001B[2J",
    "\n",
    "\u202E",
    "é",
    "\uD83D",
  ],
  ...[
    "a".repeat(100_000),
    "a".repeat(12),
    "0123456789ab",
    "1-0123456789ab",
    "../../etc/passwd",
    "/dev/null",
    "/",
    ".",
    "__proto__",
    "%s",
  ],
  ...[
    "* * * * *",
    "0 0 31 2 *",
    "@yearly",
    "* * * * * * *",
    "30s",
    `1${" ".repeat(5_000)}!`,
    "Europe/Berlin",
    `"${PAYLOAD}"`,
    `["${PAYLOAD}"]`,
  ],
];
const value = fc.oneof(fc.constantFrom(...numbers, ...times, ...texts), fc.string({ maxLength: 20 }), hostileJson);

/** A command with options of its own and of others, values for them and none, arguments too many and too few. */
const commandLine = fc.constantFrom(...commands).chain(({ path, options }) => {
  const given = options.map(({ flag, takesValue }) =>
    takesValue
      ? fc.oneof(
          value.map((text) => [flag, text]),
          value.map((text) => [`${flag}=${text}`]),
          fc.constant([flag]),
        )
      : fc.constant([flag]),
  );
  const unknown = fc.constantFrom(["--nope"], ["--nope=1"], ["-Z"], ["--redi", "x"], ["--"], ["--version"], ["--help"]);
  const part = fc.oneof(
    { arbitrary: given.length > 0 ? fc.oneof(...given) : unknown, weight: 6 },
    { arbitrary: value.map((text) => [text]), weight: 3 },
    { arbitrary: unknown, weight: 1 },
  );
  return fc.array(part, { maxLength: 5 }).map((parts) => [...path, ...parts.flat()]);
});

let setup: RunningSetup;
beforeAll(async () => {
  const [kind] = setups()
    .toReversed()
    .filter(({ transport }) => transport === "http");
  setup = await (kind as NonNullable<typeof kind>).start();
});
afterAll(() => setup.close());

/** Where a command may be told to look for Redis: where it is, where it is not, and by what is no address. */
const env = fc.oneof(
  { arbitrary: fc.constant("there" as const), weight: 6 },
  fc.constantFrom<Record<string, string>>(
    {},
    { REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:1` },
    { REDIS_URL: `redis://user:${PASSWORD}` },
    { REDIS_URL: TOKEN },
    { REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:99999/0` },
    { REDIS_PROVIDER: `redis://:${PASSWORD}@127.0.0.1:1` },
    { REDIS_PROVIDER: "MY_REDIS", MY_REDIS: `rediss://:${PASSWORD}@[::1]:1/?x=${TOKEN}` },
    { UPSTASH_REDIS_REST_URL: TOKEN },
    { UPSTASH_REDIS_REST_URL: "http://127.0.0.1:1", UPSTASH_REDIS_REST_TOKEN: `${TOKEN} with blanks` },
    { UPSTASH_REDIS_REST_URL: "http://127.0.0.1:1", UPSTASH_REDIS_REST_TOKEN: `${TOKEN}\nX: y` },
    { UPSTASH_REDIS_REST_URL: `http://u:${PASSWORD}@127.0.0.1:1?token=${TOKEN}`, UPSTASH_REDIS_REST_TOKEN: TOKEN },
    { KV_REST_API_URL: "http://127.0.0.1:1", KV_REST_API_TOKEN: TOKEN },
  ),
);

const reads = { UPSTASH_REDIS_REST_URL: "", UPSTASH_REDIS_REST_TOKEN: "" };
const check = async (args: readonly string[], where: Readonly<Record<string, string>> | "there"): Promise<void> => {
  const there = { ...reads, UPSTASH_REDIS_REST_URL: setup.url, UPSTASH_REDIS_REST_TOKEN: setup.token ?? "" };
  const { status, stdout, stderr } = await runHere(args, where === "there" ? there : where);
  expect([0, 1, 2]).toContain(status);
  expect(stdout + stderr).not.toMatch(UNSAFE_OUTPUT);
  // A line for each problem, and none of a stack.
  expect(stderr).toMatch(/^(?:airlift: [^\n]*\n)*$/);
  if (status === 2) expect(stderr).toMatch(/^airlift: [^\n]+\n$/);
  if (status === 0) expect(stderr).toBe("");
  for (const secret of [TOKEN, PASSWORD, setup.token ?? TOKEN]) expect(stdout + stderr).not.toContain(secret);
};

test("no arguments end a command in another way than it says", async () => {
  await fc.assert(fc.asyncProperty(commandLine, env, check), fuzzing(400));
});

test("no way of naming a Redis is told with its secrets", async () => {
  const secret = fc.constantFrom(
    ...[
      TOKEN,
      `redis://${PASSWORD}@`,
      `redis://:${PASSWORD}@h:x`,
      `redis://u:${PASSWORD}`,
      `http://127.0.0.1:1/${TOKEN}`,
    ],
    ...[
      `${PASSWORD}@127.0.0.1`,
      `redis://:${PASSWORD}@127.0.0.1:1`,
      `rediss://:${PASSWORD}@127.0.0.1:1`,
      `unix:///${TOKEN}`,
    ],
    ...[`http://127.0.0.1:1/?t=${TOKEN}`, `http://127.0.0.1:1/#${TOKEN}`, `http://u:${PASSWORD}@127.0.0.1:1`],
  );
  const token = fc.constantFrom(TOKEN, `${TOKEN} `, `${TOKEN}\n`, `${TOKEN}é`, "", `Bearer ${TOKEN}`);
  const command = fc.constantFrom("status", "queues list", "failed lists", "enqueue Job --queue q");
  await fc.assert(
    fc.asyncProperty(command, secret, fc.option(token), async (line, url, given) => {
      const more = given === null ? [] : ["--token", given];
      await check([...line.split(" "), "--redis", url, ...more], {});
      // A token with a blank that nobody has put in quotes; one behind an option that nobody knows.
      await check(["status", "--redis", url, ...more, TOKEN], {});
      await check(["status", `--tokn=${TOKEN}`, ...more], {});
    }),
    fuzzing(60),
  );
});

test("what is enqueued is not told", async () => {
  const there = { UPSTASH_REDIS_REST_URL: setup.url, UPSTASH_REDIS_REST_TOKEN: setup.token ?? "" };
  const arg = fc.oneof(
    fc.constantFrom(
      PAYLOAD,
      `"${PAYLOAD}"`,
      `{"${PAYLOAD}":1}`,
      `{"a":"${PAYLOAD}"`,
      `[${PAYLOAD}]`,
      `\u001B${PAYLOAD}`,
    ),
    hostileJson,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(arg, { maxLength: 3 }),
      fc.constantFrom([], ["--json"], ["--in", "5m"]),
      async (args, more) => {
        const { status, stdout, stderr } = await runHere(
          ["enqueue", "--queue", "q", ...more, "--", "Job", ...args],
          there,
        );
        expect([0, 1, 2]).toContain(status);
        expect(stdout + stderr).not.toContain(PAYLOAD);
        expect(stdout + stderr).not.toMatch(UNSAFE_OUTPUT);
      },
    ),
    fuzzing(60),
  );
});
