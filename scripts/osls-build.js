import { execFileSync } from "node:child_process";

/** A plugin of osls: the functions are bundled before they are packaged, and before serverless-offline starts them. */
export default class BuildFunctions {
  constructor(serverless) {
    const build = () =>
      execFileSync("npm", ["run", "--silent", "build:functions", "--", "aws"], {
        cwd: serverless.serviceDir,
        stdio: "inherit",
      });
    this.hooks = {
      "before:package:createDeploymentArtifacts": build,
      "before:deploy:function:packageFunction": build,
      "before:offline:start:init": build,
    };
  }
}
