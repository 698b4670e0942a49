import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { linesOf, optionsOf, withoutOneRule } from "./acl-lines.ts";
import { type AclWorld, aclSetup, createStage, openAclWorld, type Scene } from "./acl-world.ts";
import { DRAIN_OPTION_SCENES, RECEIVER_SCENES } from "./drain-option-scenes.ts";
import { DRAIN_SCENES } from "./drain-scenes.ts";
import { ENQUEUE_OPTION_SCENES, ENQUEUE_SCENES } from "./enqueue-scenes.ts";
import type { SeenCommand } from "./monitor.ts";
import { LOOK_SCENES, OPERATE_SCENES } from "./operate-scenes.ts";

interface User {
  /** Of the block of lines; its last word is the user's. */
  readonly name: string;
  readonly scenes: readonly Scene[];
  readonly options: Readonly<Record<string, readonly Scene[]>>;
}

const USERS: readonly User[] = [
  { name: "enqueue", scenes: ENQUEUE_SCENES, options: ENQUEUE_OPTION_SCENES },
  { name: "drain", scenes: DRAIN_SCENES, options: DRAIN_OPTION_SCENES },
  { name: "receive", scenes: RECEIVER_SCENES, options: {} },
  { name: "operate", scenes: OPERATE_SCENES, options: {} },
  { name: "look", scenes: LOOK_SCENES, options: {} },
  { name: "upstash enqueue", scenes: ENQUEUE_SCENES, options: {} },
  { name: "upstash drain", scenes: [...DRAIN_SCENES, ...Object.values(DRAIN_OPTION_SCENES).flat()], options: {} },
];

/** What each scene has sent to Redis. */
const sent = new Map<Scene, readonly SeenCommand[]>();

describe.skipIf(!aclSetup).each(USERS)("the lines of docs/security.md for: $name", ({ name, scenes, options }) => {
  const user = `airlift-${name.split(" ").at(-1)}`;
  const optional = Object.entries(options).flatMap(([option, list]) => list.map((scene) => ({ option, scene })));
  let world: AclWorld;
  beforeAll(async () => {
    world = await openAclWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    await world.flush();
    await world.send(["SCRIPT", "FLUSH"]);
    await world.denials();
  });

  const allow = async (...blocks: readonly string[]): Promise<void> => {
    for (const line of blocks.flatMap(linesOf)) await world.setUser(line);
  };
  const play = async (scene: Scene, transport: "tcp" | "http"): Promise<void> => {
    const stage = createStage(world, await world.clientOf(user, transport));
    if (transport === "http") await scene.play(stage);
    else sent.set(scene, await world.watch(() => scene.play(stage)));
    expect(await world.denials()).toEqual((scene.refused ?? []).map((command) => `${user}: command ${command} (lua)`));
  };

  test("there are some for each option that is tried, and for no other", () => {
    expect(optionsOf(name)).toEqual(Object.keys(options));
  });

  test.each(scenes)("let a user do it: $name", async (scene) => {
    await allow(name);
    await play(scene, "tcp");
    if (name.startsWith("upstash")) return;
    await world.flush();
    await play(scene, "http");
  });

  test.each(optional)("with those for $option let a user do it: $scene.name", async ({ option, scene }) => {
    await allow(name, ...[...(scene.beside ?? []), option].map((each) => `${name} ${each}`));
    await play(scene, "tcp");
  });

  test("allow nothing that it does not need", async () => {
    const lines = [name, ...Object.keys(options).map((option) => `${name} ${option}`)].flatMap(linesOf);
    const seen = [...scenes, ...optional.map(({ scene }) => scene)].flatMap((scene) => sent.get(scene) ?? []);
    const commands = [...new Map(seen.map(({ args }) => [shapeOf(args), args])).values()];
    const needless: string[] = [];
    for (const less of withoutOneRule(lines)) {
      for (const line of less.lines) await world.setUser(line.replace(user, "someone"));
      const verdicts = await world.send(...commands.map((args) => ["ACL", "DRYRUN", "someone", ...args]));
      if (verdicts.every((verdict) => String(verdict) === "OK")) needless.push(less.rule);
    }
    expect(needless).toEqual([]);
  });
});

/** What makes two commands the same to an ACL, roughly. */
function shapeOf(args: readonly string[]): string {
  return args.map((arg) => (arg.length > 200 ? arg.length : arg.replaceAll(/[\da-f-]{6,}|\d+/g, "N"))).join(" ");
}
