import { serveGateway } from "../../src/gateway/serve-gateway.ts";
import { serveFigures } from "./serve-figures.ts";

/** Airlift's own gateway, in a process of its own. */
const { redisPort, token } = JSON.parse(process.argv[2]!) as { redisPort: number; token: string };

const gateway = await serveGateway({ redisUrl: `redis://127.0.0.1:${redisPort}`, tokens: [token] });
serveFigures(Number(new URL(gateway.url).port));
