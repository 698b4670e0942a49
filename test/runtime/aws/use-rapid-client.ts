/** Preloaded by node: aws-lambda-ric gets rapid-client.ts where it asks for its compiled client. */
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const client = fileURLToPath(new URL("rapid-client.ts", import.meta.url));

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    nextResolve(specifier === "./rapid-client.node" ? client : specifier, context),
});
