import { describe, expect, test } from "vitest";
import { drainKeys, encodeDescription, parseDescription, workerId } from "../../src/resque/drain-identity.ts";
import { createKeys } from "../../src/resque/keys.ts";

const description = { id: "0a1b", host: "airlift-node-0a1b", pid: 42, slots: 2, queues: "mail,*" };

describe("a drain's description", () => {
  test("is read as it was written", () => {
    expect(parseDescription(encodeDescription(description))).toEqual(description);
  });

  test("has one text, whatever the order of its members", () => {
    const { queues, slots, pid, host, id } = description;
    expect(encodeDescription({ queues, slots, pid, host, id })).toBe(encodeDescription(description));
  });

  test("of a later version is read for what is known of it", () => {
    expect(parseDescription(JSON.stringify({ ...description, more: 1 }))).toEqual(description);
  });

  test.each([
    "",
    "x",
    "null",
    "[]",
    "{}",
    ...["id", "host", "pid", "slots", "queues"].map((member) =>
      JSON.stringify({ ...description, [member]: undefined }),
    ),
    JSON.stringify({ ...description, pid: "42" }),
    JSON.stringify({ ...description, slots: 1.5 }),
  ])("is told from what is none: %s", (member) => {
    expect(parseDescription(member)).toBeUndefined();
  });
});

describe("a worker id", () => {
  const id = workerId(description, 1);

  test("is taken apart by Ruby Resque into host, pid and queues", () => {
    expect(id).toBe("airlift-node-0a1b:42-1:mail,*");
    expect(id.split(":")).toEqual(["airlift-node-0a1b", "42-1", "mail,*"]);
  });
});

describe("a drain's keys", () => {
  test("are those of its workers, in the order of slots", () => {
    expect(drainKeys(description, createKeys())).toEqual({
      ids: ["airlift-node-0a1b:42-0:mail,*", "airlift-node-0a1b:42-1:mail,*"],
      slots: ["resque:worker:airlift-node-0a1b:42-0:mail,*", "resque:worker:airlift-node-0a1b:42-1:mail,*"],
      started: [
        "resque:worker:airlift-node-0a1b:42-0:mail,*:started",
        "resque:worker:airlift-node-0a1b:42-1:mail,*:started",
      ],
      stats: [
        "resque:stat:processed:airlift-node-0a1b:42-0:mail,*",
        "resque:stat:processed:airlift-node-0a1b:42-1:mail,*",
        "resque:stat:failed:airlift-node-0a1b:42-0:mail,*",
        "resque:stat:failed:airlift-node-0a1b:42-1:mail,*",
      ],
    });
  });

  test.each([
    [undefined, "resque:failed"],
    ["resque", "resque:failed"],
    ["resque:", "resque:failed"],
    ["my:app", "my:app:failed"],
    ["", "failed"],
  ])("stand under the namespace %j, its colon never doubled", (namespace, failed) => {
    expect(createKeys(namespace).failed).toBe(failed);
  });
});
