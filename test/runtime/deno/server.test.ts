import { runtimeCommand } from "../host-process.ts";
import { describeServer } from "../server-suite.ts";

describeServer({
  name: "deno",
  command: runtimeCommand("deno"),
  args: ["run", "--no-config", "--unstable-cron", "--allow-env", "--allow-net"],
});
