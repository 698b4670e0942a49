import { runtimeCommand } from "../host-process.ts";
import { describeServer } from "../server-suite.ts";

describeServer({ name: "bun", command: runtimeCommand("bun"), args: [] });
