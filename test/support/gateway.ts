import { type RunningGateway, type ServeGatewayOptions, serveGateway } from "../../src/gateway/serve-gateway.ts";

export const TEST_TOKEN = "test-token-0123456789";

/** A gateway on a free port, in this process, open to {@link TEST_TOKEN}. */
export async function startGateway(
  redisUrl: string,
  options: Partial<ServeGatewayOptions> = {},
): Promise<RunningGateway & { readonly token: string }> {
  const gateway = await serveGateway({ redisUrl, tokens: [TEST_TOKEN], ...options });
  return { ...gateway, token: TEST_TOKEN };
}
