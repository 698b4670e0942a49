import { execFile, execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createSendHere } from "../../src/target/http-send-here.ts";
import { startEndpoint } from "./endpoint.ts";

describe("what sends where Node runs", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  test.each([
    ["node:http, for its lower cost", undefined, false, 0],
    ["fetch, if a proxy is asked for by environment", "1", false, 1],
    ["node:http, if addresses are to be checked, which a proxy would look up again", "1", true, 0],
  ])("%s", async (_, proxies, refusePrivateAddresses, fetches) => {
    vi.stubEnv("NODE_USE_ENV_PROXY", proxies);
    const fetchSpy = vi.spyOn(globalThis, "fetch");
    await using endpoint = await startEndpoint();
    const send = createSendHere(refusePrivateAddresses);
    // An address needs no looking up, so this one is reached whatever is checked of names.
    const signal = AbortSignal.timeout(10_000);
    const { status, body } = await send({ url: new URL(endpoint.url), body: "{}", headers: {}, signal });
    for await (const _chunk of body);
    expect(status).toBe(200);
    // Other files' requests may still be under way in this process.
    const ours = fetchSpy.mock.calls.filter(([to]) => String(to).startsWith(endpoint.url));
    expect(ours).toHaveLength(fetches);
  });
});

const canMakeCertificates = spawnSync("openssl", ["version"]).status === 0;

describe.runIf(canMakeCertificates)("TLS", () => {
  const folder = mkdtempSync(join(tmpdir(), "airlift-https-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  let server: Server;
  let port: number;
  let received = 0;

  beforeAll(async () => {
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", [...kind, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
    server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
      received++;
      response.writeHead(200, { "content-type": "application/json" }).end('{"taken":true}');
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  /** Sends a job from a process of its own, as certificates are trusted when one starts. */
  async function send(host: string, env: Record<string, string> = {}): Promise<unknown> {
    const module = new URL("../../src/target/http.ts", import.meta.url).href;
    const file = join(folder, "send.mjs");
    writeFileSync(
      file,
      `import { http } from ${JSON.stringify(module)};
      const perform = http("https://${host}:${port}/", { secret: ${JSON.stringify(Buffer.alloc(32).toString("base64"))} });
      const { signal } = new AbortController();
      const job = { queue: "q", class: "A", args: [], raw: "{}", attempt: 1, retries: 0, deadlineMs: Date.now() + 9_000, signal };
      console.log(JSON.stringify(await perform([], job)));`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env: { ...process.env, ...env } });
    return JSON.parse(stdout);
  }

  test("an endpoint with a certificate that is trusted for its name gets the job", async () => {
    expect(await send("localhost", { NODE_EXTRA_CA_CERTS: cert })).toEqual({ taken: true });
  });

  test.each([
    ["that nobody vouches for", "localhost", {}, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["of another name", "127.0.0.1", { NODE_EXTRA_CA_CERTS: cert }, "ERR_TLS_CERT_ALTNAME_INVALID"],
  ])("one with a certificate %s gets nothing, and is tried again", async (_, host, env, code) => {
    const before = received;
    expect(await send(host, env)).toEqual({
      kind: "retry",
      reason: `https://${host}:${port} gave no whole answer: ${code}`,
    });
    expect(received).toBe(before);
  });
});
