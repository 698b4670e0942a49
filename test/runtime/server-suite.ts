import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type BundledFunction, bundleFunction } from "./bundle-function.ts";
import { type Gate, startGate } from "./gate.ts";
import { type HostProcess, startProcess } from "./host-process.ts";

/** A runtime that serves functions/fetch/. */
export interface ServerHost {
  readonly name: "deno" | "bun";
  readonly command: string;
  /** Before the file's name. */
  readonly args: readonly string[];
}

const SECRETS = { CRON_SECRET: "cron-secret", ENQUEUE_TOKEN: "enqueue-token", OPERATE_TOKEN: "operate-token" };
const CRON = { headers: { authorization: "Bearer cron-secret" } };
const job = (name: string, ...args: readonly unknown[]): string => JSON.stringify({ class: name, args });

/** What every such runtime must do, in a process of its own, on a Redis over HTTP. */
export function describeServer(host: ServerHost): void {
  describe(`functions/fetch/${host.name}.ts`, () => {
    const [setup] = setups().filter(({ transport }) => transport === "http");
    let bundled: BundledFunction;
    let world: AppWorld;
    let gate: Gate;
    let started: HostProcess[];

    beforeAll(async () => {
      if (!setup) throw new Error("no Redis over HTTP to test with");
      [bundled, world] = await Promise.all([bundleFunction(`functions/fetch/${host.name}.ts`), openAppWorld(setup)]);
    });
    afterAll(async () => {
      await world[Symbol.asyncDispose]();
      await bundled[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      started = [];
      [gate] = await Promise.all([startGate(), world.flush()]);
    });
    afterEach(async () => {
      for (const each of started) await each[Symbol.asyncDispose]();
      await gate[Symbol.asyncDispose]();
    });

    async function serve(env: Readonly<Record<string, string>> = SECRETS) {
      const { url, token = "" } = world.setup;
      const server = startProcess(host.command, [...host.args, bundled.file], {
        cwd: bundled.folder,
        env: { HOST: "127.0.0.1", PORT: "0", UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, ...env },
      });
      started.push(server);
      const [, origin] = await server.sees(/Listening on (http:\/\/[\d.:]+)/);
      return { server, call: (path: string, init?: RequestInit) => fetch(`${origin}${path}`, init) };
    }
    const processed = async () => Number(await world.get(world.keys.processed));

    test("a call of /cron drains, and leaves nothing behind", async () => {
      await world.push("q", job("Note"), job("Note"), job("Broken"));
      const { server, call } = await serve();
      const report = await (await call("/cron", CRON)).json();
      expect(report).toMatchObject({ stopped: "empty", claimed: 3, succeeded: 2, failed: 1, remaining: 0 });
      expect(await world.failed()).toMatchObject([{ exception: "RangeError", error: "out of reach", queue: "q" }]);
      expect((await world.failed())[0]?.worker).toMatch(
        new RegExp(`^airlift-${host.name}-[0-9a-f]{12}:\\d+-\\d+:\\*$`),
      );
      await server.sees(/job failed/);
      await world.expectNoTraces();
    });

    test("is closed to a wrong secret, and to everybody while none is set", async () => {
      await world.push("q", job("Note"));
      const { call } = await serve();
      expect((await call("/cron", { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
      expect((await call("/cron")).status).toBe(401);
      const closed = await serve({});
      for (const authorization of ["Bearer ", "Bearer undefined", "Bearer cron-secret"]) {
        expect((await closed.call("/cron", { headers: { authorization } })).status).toBe(503);
      }
      await closed.server.sees(/nobody can drain: no secret is set/);
      expect(await world.queued("q")).toHaveLength(1);
    });

    test("what is enqueued over HTTP runs at once", async () => {
      const { call } = await serve();
      const headers = { authorization: "Bearer enqueue-token", "content-type": "application/json" };
      const response = await call("/queues/q/jobs", { method: "POST", headers, body: job("Note") });
      expect([response.status, await response.json()]).toEqual([201, { queue: "q", enqueued: 1 }]);
      await until(async () => (await processed()) === 1);
    });

    test("a caller that hangs up does not end the drain", async () => {
      await world.push("q", job("Gate", gate.url));
      const { call } = await serve();
      const caller = new AbortController();
      const answer = call("/cron", { ...CRON, signal: caller.signal });
      await gate.reached(1);
      caller.abort();
      await expect(answer).rejects.toThrow(/abort/);
      gate.open();
      await until(async () => (await processed()) === 1);
      expect(await world.failed()).toEqual([]);
    });

    test("errors that nobody caught end neither the server nor the other jobs", async () => {
      await world.push("q", job("Late"), job("Gate", gate.url));
      const { server, call } = await serve();
      const answer = call("/cron", CRON);
      await server.sees(/thrown late.*rejected late|rejected late.*thrown late/s);
      gate.open();
      // Deno and Bun do not always tell whose error it was; then the job itself has not failed.
      expect(await (await answer).json()).toMatchObject({ claimed: 2, lost: 0, released: 0, remaining: 0 });
      expect((await call("/health")).status).toBe(200);
    });

    test("TERM lets a running job end, gives back what has not begun, and ends well", async () => {
      await world.push("q", ...Array.from({ length: 30 }, () => job("Gate", gate.url)));
      const { server, call } = await serve();
      const answer = call("/cron", CRON);
      await gate.reached(25);
      server.signal("SIGTERM");
      await until(() =>
        call("/health").then(
          () => false,
          () => true,
        ),
      ); // It takes no more requests.
      gate.open();
      const report = await (await answer).json();
      expect(report).toMatchObject({ stopped: "aborted", succeeded: 25, remaining: 5 });
      expect(await server.ended).toBe(0);
      expect(await world.queued("q")).toHaveLength(5);
      await world.expectNoTraces();
    });

    test("TERM waits for a drain that goes on after its answer", async () => {
      await world.push("q", job("Gate", gate.url));
      const { server, call } = await serve();
      const { status } = await call("/cron", { headers: { ...CRON.headers, prefer: "respond-async" } });
      expect(status).toBe(202);
      await gate.reached(1);
      server.signal("SIGTERM");
      await until(() =>
        call("/health").then(
          () => false,
          () => true,
        ),
      );
      gate.open();
      expect(await server.ended).toBe(0);
      expect(await processed()).toBe(1);
      await world.expectNoTraces();
    });

    test("a second TERM ends it at once", async () => {
      await world.push("q", job("Gate", gate.url));
      const { server, call } = await serve();
      const answer = call("/cron", CRON).catch(() => undefined);
      await gate.reached(1);
      server.signal("SIGTERM");
      await until(() =>
        call("/health").then(
          () => false,
          () => true,
        ),
      );
      server.signal("SIGTERM");
      expect(await server.ended).toBe(143);
      await answer;
    });
  });
}
