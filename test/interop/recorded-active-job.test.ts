import { describe, expect, test } from "vitest";
import {
  activeJobRequest,
  deserializeArguments,
  GlobalId,
  RubyFloat,
  RubySymbol,
  serializeArguments,
} from "../../src/active-job/active-job.ts";
import { parseJson, stringifyJson } from "../../src/core/json.ts";
import { cutOut, readDelayedItem } from "../../src/resque/delayed-item.ts";
import { encodePayload, parsePayload } from "../../src/resque/payload.ts";
import { recordedKey, recordedValues } from "./recorded.ts";

const ACTIVE_JOB = "active-job-7";

describe("Active Jobs that Rails recorded, enqueued and put back by its retry_on", () => {
  const [enqueued = ""] = recordedValues(`${ACTIVE_JOB}/enqueued`, "resque:queue:mail");
  const delayed = recordedValues(`${ACTIVE_JOB}/enqueued`, `resque:delayed:4000000000`);
  const retried = recordedValues(`${ACTIVE_JOB}/retried`, recordedKey(`${ACTIVE_JOB}/retried`, /^resque:delayed:\d+$/));
  const dataOf = (raw: string) => (parseJson(raw) as { args: [Record<string, unknown>] }).args[0];

  test.each([
    ["at once", enqueued, enqueued],
    ["later", delayed[0] ?? "", undefined],
    ["after a retry", retried[0] ?? "", undefined],
  ])("%s: our values of their arguments, written again, are their bytes", (_name, raw, plain) => {
    const text = /"arguments":(.*),"executions":/.exec(raw)?.[1];
    const item = readDelayedItem(raw);
    const payload = plain ?? (item.kind === "job" ? cutOut(raw, item.cut) : "");
    const values = deserializeArguments(dataOf(payload)["arguments"]);
    expect(values.slice(0, 4)).toMatchObject([
      new RubySymbol("now"),
      { kind: "Time" },
      GlobalId.of({ app: "shop", modelName: "Invoice", modelId: "7" }),
      { a: 1, b: [null] },
    ]);
    // JavaScript has no 2.0 but by name.
    const written = values.map((value) => (value === 2 ? new RubyFloat(2) : value));
    expect(stringifyJson(serializeArguments(written))).toBe(text);
    expect(parsePayload(payload)).toMatchObject({ kind: "job", isActiveJob: true, raw: payload });
  });

  test("the whole of it is what we write for Rails, at the same moment and with the same id", () => {
    const data = dataOf(enqueued);
    const values = deserializeArguments(data["arguments"]).map((value) => (value === 2 ? new RubyFloat(2) : value));
    const nowMs = Date.parse(data["enqueued_at"] as string);
    const request = activeJobRequest("InvoiceJob", values, {
      ...{ queue: "mail", jobId: data["job_id"] as string, locale: "en", timezone: "UTC", nowMs },
    });
    const ours = encodePayload(request.class, request.args ?? []);
    // Our clock counts milliseconds.
    const cutTime = (text: string) => text.replace(/("enqueued_at":"[^"]*\.\d{3})\d{6}Z/, "$1Z");
    expect(cutTime(ours)).toBe(cutTime(enqueued));
  });

  test("attempts go on from Rails' count", () => {
    expect(dataOf(retried[0] ?? "")).toMatchObject({
      executions: 1,
      exception_executions: { "[FlakyJob::NotYet]": 1 },
    });
    expect(parsePayload(retried[0] ?? "")).toMatchObject({ class: "FlakyJob", attempt: 2, retries: 1 });
  });
});
