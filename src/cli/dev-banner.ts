import { relative } from "node:path";
import { styleText } from "node:util";
import type { EnqueueRequest } from "../airlift.ts";
import { stringifyJson } from "../core/json.ts";
import type { App } from "./app-module.ts";

export interface DevBanner {
  readonly app: App;
  readonly apiUrl: string;
  readonly restUrl: string;
  readonly redisUrl: string;
  readonly token: string;
  /** What to say of ports that were not free. */
  readonly remarks: readonly string[];
}

/** What `airlift dev` says when all of it is up: the addresses, the token, and lines to paste into another terminal. */
export function formatBanner(banner: DevBanner): string {
  const { app, apiUrl, restUrl, redisUrl, token, remarks } = banner;
  const auth = `-H 'Authorization: Bearer ${token}'`;
  const example = findExample(app);
  const body = shellQuote(stringifyJson({ class: example.class, args: example.args ?? [] }));
  const classes = app.jobs.map((job) => job.class).join(", ");
  return [
    `${styleText("bold", "airlift dev")}: all of it runs in this process and is gone with it. Ctrl-C ends it.`,
    "",
    `  HTTP API   ${apiUrl}   token ${token}`,
    `  REST       ${restUrl}   (Upstash protocol; UPSTASH_REDIS_REST_URL, same token)`,
    `  Redis      ${redisUrl}   (for redis-cli, Ruby, resque-web)`,
    `  jobs       ${classes}   from ${relative(process.cwd(), app.file)}`,
    ...remarks.map((remark) => `  note       ${remark}`),
    "",
    "Try in another terminal:",
    `  curl -X POST ${apiUrl}/queues/${encodeURIComponent(example.queue)}/jobs ${auth} -H 'Content-Type: application/json' -d ${body}`,
    `  curl ${apiUrl}/status ${auth}`,
    `  redis-cli -p ${new URL(redisUrl).port} lrange resque:failed 0 -1`,
    "",
  ].join("\n");
}

function findExample({ samples, jobs }: App): EnqueueRequest {
  const [job] = jobs;
  return (
    samples.find((sample) => sample.queue === "mail") ??
    samples[0] ?? { queue: job?.queue ?? "default", class: job?.class ?? "" }
  );
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
