import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import { checkWebhookSecrets } from "../../src/core/webhook-secrets.ts";
import { type HttpTargetOptions, http } from "../../src/target/http.ts";
import { OTHER_SECRET, SECRET } from "./endpoint.ts";

const build = (options: object, url: unknown = "https://example.com/jobs") =>
  http(url as string, { secret: SECRET, ...options } as HttpTargetOptions);

describe("a wrong option is named when the target is made", () => {
  const rows: readonly (readonly [string, object, string])[] = [
    ["an unknown one", { retries: 3 }, "http: retries: unknown option"],
    ["no secret", { secret: undefined }, "http: secret: expected base64 of 24 to 64 random bytes"],
    ["no secrets", { secret: [] }, "http: secret: expected at least one"],
    ["a limit of no time", { timeoutMs: 0 }, "http: timeoutMs: expected an integer from 1 to 86400000, got 0"],
    [
      "a limit that is no number",
      { timeoutMs: "30s" },
      "http: timeoutMs: expected an integer from 1 to 86400000, got string",
    ],
    ["no bytes", { maxReplyBytes: -1 }, "http: maxReplyBytes: expected an integer"],
    [
      "no boolean",
      { refusePrivateAddresses: "yes" },
      "http: refusePrivateAddresses: expected true or false, got string",
    ],
    ["no headers", { headers: "a: b" }, "http: headers: expected an object of texts, got string"],
    ["a header of the signature", { headers: { "Webhook-Id": "1" } }, "http: headers: Webhook-Id is set by Airlift"],
    ["a header of the transfer", { headers: { Host: "a" } }, "http: headers: Host is set by Airlift"],
    ["a header with a line break", { headers: { a: "b\r\nc: d" } }, 'http: headers: "a": expected a name and a text'],
    ["a header without a name", { headers: { "": "b" } }, 'http: headers: "": expected a name and a text'],
    ["a header that is no text", { headers: { a: 1 } }, 'http: headers: "a": expected a name and a text'],
    [
      "batches of none",
      { batch: { size: 0, maxWaitMs: 1 } },
      "http: batch.size: expected an integer from 1 to 1000, got 0",
    ],
    ["batches without a time", { batch: { size: 2 } }, "http: batch.maxWaitMs: expected 0 to 60000 ms, got undefined"],
    ["more of batches", { batch: { size: 2, maxWaitMs: 1, max: 1 } }, "http: batch.max: unknown option"],
    ["no lease", { acknowledge: {} }, "http: acknowledge: expected { leaseMs }, got object"],
    ["a lease that is none", { acknowledge: true }, "http: acknowledge: expected { leaseMs }, got boolean"],
    ["a lease of no time", { acknowledge: { leaseMs: 0 } }, "http: acknowledge.leaseMs: expected an integer from 1"],
  ];
  test.each(rows)("%s", (_, options, message) => {
    expect(() => build(options)).toThrow(UsageError);
    expect(() => build(options)).toThrow(message);
  });

  test.each([
    "",
    "/jobs",
    "example.com",
    "ftp://example.com",
    "file:///etc/passwd",
    "javascript:1",
    "//example.com",
    7,
  ])("the address %j", (url) => {
    expect(() => build({}, url)).toThrow("http: url: expected an absolute one that begins with https:// or http://");
  });

  test("batches of jobs whose endpoints differ", () => {
    expect(() => http(() => "https://example.com", { secret: SECRET, batch: { size: 2, maxWaitMs: 1 } })).toThrow(
      "http: batch: expected none, as the jobs' endpoints differ",
    );
  });
});

test("no message quotes a secret, a header's value, or more of an address than its origin", () => {
  const attempts = [
    () => build({ secret: "short-secret" }),
    () => build({ secret: [SECRET, "short-secret"] }),
    () => build({ headers: { authorization: "Bearer\nshort-secret" } }),
    () => build({}, "https://user:short-secret@example.com/short-secret?short-secret"),
    () => build({ refusePrivateAddresses: true }, "https://10.0.0.1/short-secret?short-secret"),
  ];
  for (const attempt of attempts) {
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(expect.objectContaining({ message: expect.not.stringContaining("short-secret") }));
  }
});

describe("secrets", () => {
  const ofBytes = (count: number): string => Buffer.alloc(count, 7).toString("base64");

  test.each([24, 25, 26, 32, 63, 64])("of %i bytes are taken, with and without whsec_", (count) => {
    expect(checkWebhookSecrets("x", `whsec_${ofBytes(count)}`)).toEqual([`whsec_${ofBytes(count)}`]);
    expect(checkWebhookSecrets("x", [ofBytes(count), OTHER_SECRET])).toHaveLength(2);
  });

  test.each([
    ["too few bytes", ofBytes(23)],
    ["too many bytes", ofBytes(65)],
    ["other characters", `${ofBytes(32).slice(0, -4)}-_==`],
    ["a part missing", ofBytes(32).slice(0, -1)],
    ["a public key", `whpk_${ofBytes(32)}`],
    ["nothing", ""],
    ["a number", 7],
    ["null", null],
  ])("%s is refused", (_, secret) => {
    expect(() => checkWebhookSecrets("x", secret)).toThrow(/^x: secret: expected base64 of 24 to 64 random bytes/);
  });
});
