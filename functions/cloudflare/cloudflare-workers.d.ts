/** What is used of the runtime's own module; `wrangler types` writes all of it. */
declare module "cloudflare:workers" {
  export abstract class WorkerEntrypoint<Env = unknown> {
    constructor(context: { waitUntil(work: Promise<unknown>): void }, env: Env);
    protected readonly ctx: { waitUntil(work: Promise<unknown>): void };
    protected readonly env: Env;
  }
}
