import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { root } from "../../../scripts/entries.ts";
import { openAwsWorld } from "./aws-world.ts";
import { startLambdaService } from "./lambda-service.ts";

const path = (name: string): string => fileURLToPath(new URL(name, root));

test("copied to a project of one's own, the functions bundle by the guide's command, from the built package, and run", async () => {
  const project = await mkdtemp(join(tmpdir(), "airlift-project-"));
  await using world = await openAwsWorld();
  await using service = await startLambdaService();
  try {
    await mkdir(join(project, "node_modules"));
    for (const name of ["@aws-sdk", "@smithy", "@aws", "tslib"]) {
      await symlink(path(`node_modules/${name}`), join(project, "node_modules", name));
    }
    await symlink(path("."), join(project, "node_modules/airlift"));
    await cp(path("functions/aws"), join(project, "functions/aws"), { recursive: true });

    const guide = await readFile(path("docs/aws-lambda.md"), "utf8");
    const [, command = ""] = /^npx esbuild (.+)$/m.exec(guide) ?? [];
    await promisify(execFile)(path("node_modules/.bin/esbuild"), command.split(" "), { cwd: project });

    const env = { ...world.env, DRAIN_FUNCTION: "drain", JOB_FUNCTION: "job", AWS_ENDPOINT_URL_LAMBDA: service.url };
    const create = (name: string) =>
      service.create(name, { taskRoot: project, handler: `dist/functions/aws/${name}.handler`, env });
    const drain = create("drain");
    create("job");
    await world.push("webhooks", "CallWebhook", `${world.web.url}/webhook`, "of one's own");
    await world.push("files", "HashFile", `${world.web.url}/file`);
    expect(await drain.invoke()).toMatchObject({ kind: "answer", payload: { stopped: "empty", succeeded: 2 } });
    expect(world.web.posted).toEqual(["of one's own"]);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
});
