import dns from "node:dns";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { http } from "../../src/target/http.ts";
import { isPrivateAddress, isPrivateHost } from "../../src/target/http-private.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { type Endpoint, SECRET, startEndpoint } from "./endpoint.ts";

/** Hosts as they are written in URLs. */
const PRIVATE = [
  ...["127.0.0.1", "127.1", "127.255.255.254", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.0.0.1."],
  ...["0.0.0.0", "0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
  ...[
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
  ],
  ...["168.63.129.16", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"],
  ...["203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"],
  ...[
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:8.8.8.8]",
    "[::127.0.0.1]",
  ],
  ...["[fe80::1]", "[febf::1]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[fd20:ce::254]", "[ff02::1]"],
  ...["[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[100::1]", "[2001::1]", "[2001:db8::1]"],
  ...["[2002:7f00:1::]", "[3fff::1]", "[5f00::1]", "[4000::1]"],
  ...[
    "localhost",
    "LOCALHOST",
    "localhost.",
    "app.localhost",
    "printer.local",
    "metadata",
    "redis",
    "metadata.google.internal",
  ],
  ...[
    "ip-10-0-0-1.eu-west-1.compute.internal",
    "router.lan",
    "nas.home.arpa",
    "db.localdomain",
    "%6cocalhost",
    "ⓛocalhost",
  ],
];
const PUBLIC = [
  ...[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
  ],
  ...[
    "169.253.255.255",
    "169.255.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "192.169.0.1",
    "198.17.255.255",
  ],
  ...["198.20.0.1", "223.255.255.255", "0x08080808", "168.63.129.15"],
  ...[
    "[2606:4700:4700::1111]",
    "[2001:4860:4860::8888]",
    "[2001:200::1]",
    "[2a00::1]",
    "[3ffe::1]",
    "[64:ff9b::8.8.8.8]",
  ],
  ...["example.com", "localhost.example.com", "internal.example.com", "mylocal.example.org", "example.com."],
];
const hostOf = (host: string): string => new URL(`http://${host}/`).hostname;

describe("by its text", () => {
  test.each(PRIVATE)("%s is private", (host) => {
    expect(isPrivateHost(hostOf(host))).toBe(true);
    expect(() => http(`http://${host}/`, { secret: SECRET, refusePrivateAddresses: true })).toThrow(
      /is a private address, and refusePrivateAddresses is on/,
    );
  });

  test.each(PUBLIC)("%s is not", (host) => {
    expect(isPrivateHost(hostOf(host))).toBe(false);
    expect(http(`http://${host}/`, { secret: SECRET, refusePrivateAddresses: true })).toBeTypeOf("function");
  });

  test("an address is judged the same in each notation", () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), (bits) => {
        const dotted = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
        const isPrivate = isPrivateAddress(dotted);
        expect(isPrivateHost(hostOf(String(bits)))).toBe(isPrivate);
        expect(isPrivateHost(hostOf(`0x${bits.toString(16)}`))).toBe(isPrivate);
        expect(isPrivateAddress(`64:ff9b::${dotted}`)).toBe(isPrivate);
      }),
    );
  });

  test.each(["fe80::1%eth0", "1.2.3", "1.2.3.256", "", "1.2.3.4.5", "not an address", "::g"])(
    "%j, which is no address, counts as private",
    (address) => {
      expect(isPrivateAddress(address)).toBe(true);
    },
  );
});

describe("by what its name leads to", () => {
  let world: AppWorld;
  let endpoint: Endpoint;
  /** What the server of names answers, one after the other. */
  let names: readonly (readonly string[])[];
  let lookups = 0;

  beforeAll(async () => {
    [world, endpoint] = await Promise.all([openAppWorld(setups()[0] as never), startEndpoint()]);
  });
  beforeEach(async () => {
    await world.flush();
    lookups = 0;
    endpoint.requests.length = 0;
    vi.spyOn(dns, "lookup").mockImplementation(((
      _hostname: string,
      { all }: dns.LookupOptions,
      callback: (error: Error | null, found: unknown, family?: number) => void,
    ) => {
      const found = (names[Math.min(lookups++, names.length - 1)] ?? []).map((address) => ({
        address,
        family: address.includes(":") ? 6 : 4,
      }));
      if (all) callback(null, found);
      else callback(null, found[0]?.address, found[0]?.family);
    }) as never);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  afterAll(async () => {
    await endpoint[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  const drain = async (refusePrivateAddresses: boolean, timeoutMs = 5_000) => {
    await world.push("q", '{"class":"Send","args":[]}');
    const perform = http(`http://hooks.example.com:${endpoint.port}/`, {
      secret: SECRET,
      refusePrivateAddresses,
      timeoutMs,
    });
    return await world.app({ jobs: [{ class: "Send", perform }] }).drain();
  };

  test.each([
    ["loopback", ["127.0.0.1"]],
    ["the metadata server", ["169.254.169.254"]],
    ["loopback of IPv6", ["::1"]],
    ["IPv4 in IPv6", ["::ffff:127.0.0.1"]],
    ["an address of the internet and one that is not", ["93.184.215.14", "127.0.0.1"]],
    ["nothing", []],
  ])("%s: the job fails and nothing is sent", async (_, addresses) => {
    names = [addresses];
    expect(await drain(true)).toMatchObject({ failed: 1, retried: 0 });
    expect(await world.failed()).toMatchObject([
      {
        exception: "HttpError",
        error: `http://hooks.example.com:${endpoint.port}: the name leads to a private address`,
      },
    ]);
    expect(endpoint.connections).toBe(0);
  });

  test("a name that leads elsewhere when it is asked again is not asked again", async () => {
    // Nobody answers there: the attempt ends by its time limit, or at once where there is no network.
    names = [["93.184.215.14"], ["127.0.0.1"]];
    expect(await drain(true, 1_000)).toMatchObject({ failed: 0, retried: 1 });
    expect(lookups).toBe(1);
    expect(endpoint.connections).toBe(0);
  });

  test("without the option the job is sent", async () => {
    names = [["127.0.0.1"]];
    expect(await drain(false)).toMatchObject({ succeeded: 1 });
    expect(endpoint.requests).toHaveLength(1);
  });

  test("an endpoint that a job names itself is looked at before anything is sent", async () => {
    const jobs = [
      { class: "Hook", perform: http((args) => String(args[0]), { secret: SECRET, refusePrivateAddresses: true }) },
    ];
    await world.push("q", `{"class":"Hook","args":["${endpoint.url}/"]}`);
    await world.push("q", '{"class":"Hook","args":["file:///etc/passwd"]}');
    await world.push("q", '{"class":"Hook","args":["http://user:pass@example.com"]}');
    expect(await world.app({ jobs }).drain()).toMatchObject({ failed: 3, retried: 0 });
    expect((await world.failed()).map(({ error }) => error).sort()).toEqual([
      expect.stringMatching(/^http: url: expected an absolute one/),
      `http: url: http://127.0.0.1:${endpoint.port} is a private address, and refusePrivateAddresses is on`,
      "http: url: http://example.com: put credentials into headers.authorization, not into the address",
    ]);
    expect(endpoint.requests).toHaveLength(0);
  });
});
