import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../../support/until.ts";
import { type AwsWorld, openAwsWorld } from "./aws-world.ts";
import { type Bundles, buildOtherFunctions } from "./bundles.ts";
import { type LambdaFunction, type LambdaService, startLambdaService } from "./lambda-service.ts";

let bundles: Bundles;
let world: AwsWorld;
let service: LambdaService;

beforeAll(async () => {
  bundles = await buildOtherFunctions();
});
afterAll(() => bundles[Symbol.asyncDispose]());

beforeEach(async () => {
  world = await openAwsWorld();
  service = await startLambdaService();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function create(name: "drain" | "job"): LambdaFunction {
  const env = { ...world.env, AWS_ENDPOINT_URL_LAMBDA: service.url };
  return service.create(`other-${name}`, { taskRoot: bundles.taskRoot, handler: `other-functions.${name}`, env });
}

test("an error that one job throws late fails that job, and neither the others nor the environment", async () => {
  const drain = create("drain");
  await world.push("q", "ThrowLate", "during");
  await world.push("q", "Steady");
  expect(await drain.invoke()).toMatchObject({ kind: "answer", payload: { failed: 1, succeeded: 1 } });
  expect(await world.failed()).toMatchObject([{ exception: "RangeError", error: "late: during" }]);
  await until(() => drain.log.some(({ message }) => message === "a job's late error was not caught"));
  await drain.invoke();
  expect(drain.pids).toHaveLength(1);
});

test("an error that is thrown when a frozen environment wakes up does not end it", async () => {
  const drain = create("drain");
  await world.push("q", "ThrowLate", "after");
  expect(await drain.invoke()).toMatchObject({ kind: "answer", payload: { succeeded: 1 } });
  await world.push("q", "Steady");
  expect(await drain.invoke()).toMatchObject({ kind: "answer", payload: { succeeded: 1 } });
  await until(() => drain.log.some(({ error }) => String(error).startsWith("RangeError: late: after")));
  expect(drain.pids).toHaveLength(1);
});

test("a drain ends before the jobs that it hands to a function as Events; that settles them by itself", async () => {
  const drain = create("drain");
  create("job");
  await world.push("q", "Detached", "succeed");
  await world.push("q", "Detached", "fail");
  expect(await drain.invoke()).toMatchObject({ kind: "answer", payload: { claimed: 2, detached: 2, succeeded: 0 } });
  expect(service.received).toMatchObject([{ type: "Event" }, { type: "Event" }]);
  expect(await until(async () => (await world.failed()).length === 1 && (await world.failed()))).toMatchObject([
    { queue: "q", payload: { class: "Detached", args: ["fail"] }, exception: "RangeError", error: "as it was told" },
  ]);
  await until(async () => (await world.processed()) === 2);
  expect(await world.redis.command(["EXISTS", "resque:airlift:retries", "resque:airlift:drains"])).toBe(0);
});
