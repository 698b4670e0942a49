// Read by tsc as a part of `npm run check`: a wrong type, or an error that is expected and does not come, fails it.
import { expectTypeOf } from "vitest";
import { z } from "zod";
import {
  createAirlift,
  defineJob,
  defineJobsWith,
  defineMiddleware,
  discard,
  type JobContext,
  type JobDefinition,
  type RedisClient,
} from "../../src/index.ts";

declare const redis: RedisClient;
interface Db {
  query(text: string): Promise<unknown>;
}
declare const openDb: () => Promise<Db>;
const rest = { redis, queues: ["q"] } as const;

const withTenant = defineMiddleware(async (job, next) => {
  expectTypeOf(job).toEqualTypeOf<JobContext>();
  return await next({ tenant: String(job.args[0]) });
});
const withUser = defineMiddleware(async (job: JobContext<{ tenant: string }>, next) => {
  if (job.context.tenant === "") return discard("no tenant");
  return await next({ user: { tenant: job.context.tenant } });
});
const timed = defineMiddleware(async (_job, next) => {
  const result = await next();
  return result;
});
const forgetful = defineMiddleware(async (_job, next) => {
  await next({ lost: 1 });
});
const replacing = defineMiddleware((_job, next) => next({ tenant: 5 }));
const needsDb = defineMiddleware(async (job: JobContext<object, { db: Db }>, next) =>
  next({ db: await job.resources.db }),
);

// A class's own: what each gives is in the context of the handler.
defineJob({
  class: "Job",
  args: z.tuple([z.string()]),
  middleware: [withTenant, timed, withUser, (job, next) => next({ inline: job.queue })],
  perform: ([name], job) => {
    expectTypeOf(name).toEqualTypeOf<string>();
    expectTypeOf(job.context.tenant).toEqualTypeOf<string>();
    expectTypeOf(job.context.user).toEqualTypeOf<{ tenant: string }>();
    expectTypeOf(job.context.inline).toEqualTypeOf<string>();
    // @ts-expect-error nobody gives it
    job.context.nothing;
  },
});
defineJob({
  class: "Replaced",
  middleware: [withTenant, replacing],
  perform: (_args, job) => expectTypeOf(job.context.tenant).toEqualTypeOf<number>(),
});
defineJob({
  class: "Forgotten",
  middleware: [forgetful],
  // @ts-expect-error what next gives has to be returned
  perform: (_args, job) => job.context.lost,
});
// @ts-expect-error the user needs the tenant, which comes too late
defineJob({ class: "WrongOrder", middleware: [withUser, withTenant], perform: (_args, _job) => undefined });
// @ts-expect-error nobody shares a db
defineJob({ class: "NoDb", middleware: [needsDb], perform: (_args, _job) => undefined });
// @ts-expect-error no function
defineJob({ class: "NoFunction", middleware: [5], perform: (_args, _job) => undefined });

// An app's own: known to jobs that are defined with it, and owed to them by the app.
const shared = { middleware: [withTenant], resources: { db: openDb, zone: () => "UTC" } } as const;
const defineShared = defineJobsWith(shared);
const charge = defineShared({
  class: "Charge",
  args: z.tuple([z.number()]),
  middleware: [withUser],
  perform: async ([cents], job) => {
    expectTypeOf(cents).toEqualTypeOf<number>();
    expectTypeOf(job.context.tenant).toEqualTypeOf<string>();
    expectTypeOf(job.context.user).toEqualTypeOf<{ tenant: string }>();
    expectTypeOf(await job.resources.db).toEqualTypeOf<Db>();
    expectTypeOf(await job.resources.zone).toEqualTypeOf<string>();
    // @ts-expect-error nobody opens it
    job.resources.cache;
  },
});
const airlift = createAirlift({ ...shared, ...rest, jobs: [charge] });
void airlift.enqueue(charge, [5]);
// @ts-expect-error a wrong type
void airlift.enqueue(charge, ["5"]);

// @ts-expect-error the app gives neither tenant nor db
createAirlift({ ...rest, jobs: [charge] });
// @ts-expect-error the app gives no db
createAirlift({ ...rest, middleware: [withTenant], jobs: [charge] });
// @ts-expect-error the app gives no tenant
createAirlift({ ...rest, resources: shared.resources, jobs: [charge] });
// @ts-expect-error another kind of tenant
createAirlift({ ...shared, ...rest, middleware: [replacing], jobs: [charge] });
// @ts-expect-error the user needs the tenant
createAirlift({ ...rest, middleware: [withUser], jobs: [] });
// @ts-expect-error the user needs the tenant
defineJobsWith({ middleware: [withUser] });
createAirlift({ ...rest, middleware: [withTenant, withUser, needsDb], resources: shared.resources, jobs: [charge] });
// More than is needed is no harm.
const own = defineJob({ class: "Own", middleware: [withTenant], perform: (_args, job) => job.context.tenant.length });
createAirlift({ ...shared, ...rest, jobs: [charge, own, { class: "Plain", perform: () => undefined }] });
createAirlift({
  ...shared,
  ...rest,
  jobs: [{ class: "Inline", perform: (_args, job) => expectTypeOf(job.context.tenant).toEqualTypeOf<string>() }],
});

// Where nothing is known of the order, nothing is claimed: lists of jobs, and the options of another app.
declare const anyJobs: readonly JobDefinition[];
createAirlift({ ...rest, jobs: anyJobs });
createAirlift({ ...airlift.options, concurrency: 1 });
