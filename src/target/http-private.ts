/** IANA's special-purpose blocks that are not to be reached from the internet, and Azure's metadata server, which poses as public. */
const PRIVATE_V4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12"],
  ...["192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"],
  ...["203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"],
].map(parsePrefix);
/** Within the one block of public addresses; the last are 6to4's, which lead to any IPv4 address. */
const PRIVATE_V6 = ["2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16"].map(parsePrefix);
const PUBLIC_V6 = parsePrefix("2000::/3");
/** How a network of IPv6 alone reaches IPv4: the last 32 bits are the address. */
const NAT64 = parsePrefix("64:ff9b::/96");
const V4_BITS = 0xffff_ffffn;

const PRIVATE_NAMES = /(^|\.)(localhost|localdomain|local|lan|internal|intranet|corp|home|private|home\.arpa)$/;

/**
 * Whether a URL's host is one that is not on the internet, as far as its text tells: an address of any notation that URLs
 * know (they normalise `0x7f.1` and `2130706433`), or a name that has a meaning only inside a network.
 *
 * @param hostname as `URL` has it
 */
export function isPrivateHost(hostname: string): boolean {
  if (hostname.startsWith("[") || /^[\d.]+$/.test(hostname)) return isPrivateAddress(hostname.replace(/^\[|\]$/g, ""));
  const name = hostname.toLowerCase().replace(/\.+$/, "");
  return !name.includes(".") || PRIVATE_NAMES.test(name);
}

/** Whether an IP address is not on the internet. What cannot be read, as one that names an interface, is not. */
export function isPrivateAddress(address: string): boolean {
  const bits = parseAddress(address);
  if (bits === undefined) return true;
  if (!address.includes(":")) return PRIVATE_V4.some((prefix) => holds(prefix, bits));
  if (holds(NAT64, bits)) return PRIVATE_V4.some((prefix) => holds(prefix, bits & V4_BITS));
  return !holds(PUBLIC_V6, bits) || PRIVATE_V6.some((prefix) => holds(prefix, bits));
}

interface Prefix {
  readonly bits: bigint;
  /** How many bits of an address are not the prefix's. */
  readonly rest: bigint;
}

function holds({ bits, rest }: Prefix, address: bigint): boolean {
  return address >> rest === bits;
}

function parsePrefix(text: string): Prefix {
  const [address = "", length] = text.split("/");
  const rest = BigInt((address.includes(":") ? 128 : 32) - Number(length));
  return { bits: (parseAddress(address) ?? 0n) >> rest, rest };
}

function parseAddress(address: string): bigint | undefined {
  if (!address.includes(":")) {
    const bytes = address.split(".").map(Number);
    return bytes.length === 4 && bytes.every((byte) => byte >= 0 && byte <= 255) ? join(bytes, 8n) : undefined;
  }
  // The URL parser knows each notation, `::ffff:1.2.3.4` too, and writes them in one.
  const canonical = URL.parse(`http://[${address}]`)?.hostname.slice(1, -1);
  if (canonical === undefined) return undefined;
  const [head = [], tail = []] = canonical.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const groups = [...head, ...new Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return join(
    groups.map((group) => Number.parseInt(group, 16)),
    16n,
  );
}

function join(parts: readonly number[], bitsEach: bigint): bigint {
  return parts.reduce((bits, part) => (bits << bitsEach) | BigInt(part), 0n);
}
