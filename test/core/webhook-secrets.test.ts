import { expect, test } from "vitest";
import { checkWebhookSecrets } from "../../src/core/webhook-secrets.ts";

const secretOf = (bytes: number): string => Buffer.alloc(bytes, 251).toString("base64");

test.each([24, 25, 26, 64])("%i bytes are a secret, with and without their prefix", (bytes) => {
  const both = [secretOf(bytes), `whsec_${secretOf(bytes)}`];
  expect(checkWebhookSecrets("x", both)).toEqual(both);
  expect(checkWebhookSecrets("x", both[0])).toEqual([both[0]]);
});

test.each([
  [secretOf(23), "another text"],
  [secretOf(65), "another text"],
  [`${secretOf(24)} `, "another text"],
  [`x${secretOf(24)}`, "another text"],
  [`abcdwhsec_${secretOf(24)}`, "another text"],
  [`whsec_whsec_${secretOf(24)}`, "another text"],
  ["", "another text"],
  [undefined, "undefined"],
  [null, "null"],
  [42, "number"],
  [{}, "object"],
])("%j is none, and is not quoted", (secret, got) => {
  const check = () => checkWebhookSecrets("serve", [secretOf(32), secret]);
  expect(check).toThrow(/^serve: secret: expected base64 of 24 to 64 random bytes/);
  expect(check).toThrow(new RegExp(`got ${got}$`));
});

test("one is needed", () => {
  expect(() => checkWebhookSecrets("serve", [])).toThrow("serve: secret: expected at least one");
});
