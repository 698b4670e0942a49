import { describe, expect, test } from "vitest";
import type { StoreErrorReason } from "../../src/core/errors.ts";
import { isNoScript, reasonOfReply, redactReply } from "../../src/redis/reply-error.ts";

describe("the reason of an error reply", () => {
  test.each<[string, StoreErrorReason]>([
    ["WRONGPASS invalid username-password pair or user is disabled.", "unauthorized"],
    ["NOAUTH Authentication required.", "unauthorized"],
    ["ERR invalid password", "unauthorized"],
    ["NOPERM User drain has no permissions to run the 'set' command", "rejected"],
    ["ERR max requests limit exceeded. Limit: 500000, Usage: 500000.", "throttled"],
    ["ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.", "throttled"],
    ["ERR max request size exceeded. Limit: 1048576 bytes", "rejected"],
    ["ERR max single record size exceeded", "rejected"],
    ["ERR DB capacity quota exceeded", "full"],
    ["OOM command not allowed when used memory > 'maxmemory'.", "full"],
    ["MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "full"],
    ["LOADING Redis is loading the dataset in memory", "unavailable"],
    ["BUSY Redis is busy running a script.", "unavailable"],
    ["READONLY You can't write against a read only replica.", "unavailable"],
    ["CLUSTERDOWN The cluster is down", "unavailable"],
    ["READONLY You can't write against a read only replica. script: 6b81, on @user_script:1.", "unavailable"],
    // As Redis 6.2 says it, and Dragonfly.
    [
      "ERR Error running script (call to f_10): @user_script:4: @user_script: 4: -READONLY You can't write",
      "unavailable",
    ],
    ["ERR Error running script (call to d8): @user_script:2: -READONLY You can't write", "unavailable"],
    ["ERR Error running script (call to f_8f): @user_script:41: @user_script: 41: -OOM command not allowed", "full"],
    ["@user_script: 41: -OOM command not allowed when used memory > 'maxmemory'.", "full"],
    ["ERR Error running script (call to f_8f): @user_script:1: user_script:1: OOM", "rejected"],
    ["ERR max number of clients reached", "unavailable"],
    ["BUSYGROUP Consumer Group name already exists", "rejected"],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "rejected"],
    ["ERR value is not an integer or out of range", "rejected"],
    ["NOSCRIPT No matching script. Please use EVAL.", "rejected"],
  ])("%s is %s", (text, reason) => {
    expect(reasonOfReply(text)).toBe(reason);
  });

  test("only NOSCRIPT asks for the script", () => {
    expect(isNoScript("NOSCRIPT No matching script. Please use EVAL.")).toBe(true);
    expect(isNoScript("ERR Error running script: NOSCRIPT")).toBe(false);
  });
});

describe("the text of an error reply", () => {
  test.each([
    ["WRONGTYPE Operation against a key", [], "WRONGTYPE Operation against a key"],
    ["ERR unknown command 'X', with args beginning with: 'a' 'b' ", [], "ERR unknown command 'X'"],
    ['ERR syntax error, command was: ["SET","a","b"]', [], "ERR syntax error"],
    ["ERR user_script:1: jane@example.com", ["jane@example.com"], "ERR user_script:1: …"],
    ["NOGROUP No such key 'resque:q' in XREADGROUP", ["resque:q", "10"], "NOGROUP No such key '…' in XREADGROUP"],
    ["ERR user_script:1: failed", ["1"], "ERR user_script:1: failed"],
    ["ERR first line\nsecond line", [], "ERR first line"],
  ])("%j with %j is %j", (text, args, expected) => {
    expect(redactReply(text, args)).toBe(expected);
  });

  test("is cut after 200 characters", () => {
    expect(redactReply(`ERR ${"x".repeat(1000)}`)).toBe(`ERR ${"x".repeat(196)}…`);
  });
});
