// Callbacks go where merchants say, so a merchant could point one at our own network: at the database, at a cloud's
// metadata service. Only public addresses are called, and the address that was checked is the one that is connected to:
// a name that answers differently the second time (DNS rebinding) gains nothing.

import type { LookupAddress, LookupOptions } from "node:dns";
import { Resolver, lookup as systemLookup } from "node:dns/promises";
import { BlockList, isIP, type LookupFunction } from "node:net";

// IANA's special-purpose registry for IPv4 (RFC 6890 and later), multicast, and Azure's metadata service, which
// stands in public space. Those of AWS, Google and Alibaba lie within 169.254.0.0/16 and 100.64.0.0/10.
const special_v4 = blockList("ipv4", [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "168.63.129.16/32",
]);
// Of IPv6 only global unicast is public (RFC 4291), without protocol assignments and Teredo, 6to4 (it hides an IPv4
// address) and documentation.
const global_v6 = blockList("ipv6", ["2000::/3"]);
const special_v6 = blockList("ipv6", ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);
// An IPv4 address stands in the last 32 bits: mapped (RFC 4291) and NAT64 (RFC 6052).
const holds_v4 = blockList("ipv6", ["::ffff:0:0/96", "64:ff9b::/96"]);

function blockList(family: "ipv4" | "ipv6", ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [base = "", bits] = range.split("/");
    list.addSubnet(base, Number(bits), family);
  }
  return list;
}

/** True for every address that is not out on the public internet, and for what is no address at all. */
export function isPrivate(ip: string): boolean {
  const address = ip.split("%")[0] ?? "";
  const family = isIP(address);
  if (family === 4) return special_v4.check(address, "ipv4");
  if (family !== 6) return true;
  if (holds_v4.check(address, "ipv6")) return isPrivate(lastFourBytes(address));
  return !global_v6.check(address, "ipv6") || special_v6.check(address, "ipv6");
}

/** The last 32 bits of an IPv6 address in the notation of IPv4. */
function lastFourBytes(address: string): string {
  const tail = address.slice(address.lastIndexOf(":") + 1);
  if (tail.includes(".")) return tail;
  // A URL's host is written without dots and with at most one "::", which may stand for either group.
  const groups = address.split(":").slice(-2);
  return groups
    .map((group) => Number.parseInt(group || "0", 16))
    .flatMap((group) => [group >> 8, group & 255])
    .join(".");
}

/** The name leads to no address that may be called. Says nothing of what was found: that is our network's business. */
export class AddressRefused extends Error {
  readonly code = "ADDRESS_REFUSED";
}

/** Throws `AddressRefused` for a private address written out in a URL, which no lookup would ever see. */
export function checkLiteral(host: string, allow_private: boolean): void {
  const bare = host.replace(/^\[|\]$/g, "");
  if (!allow_private && isIP(bare) !== 0 && isPrivate(bare)) throw new AddressRefused();
}

type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

// A name server that has not answered by then is asked once more.
const dns_timeout_ms = 3_000;
const dns_tries = 2;

/** Asks name servers only, without the threads that password hashes and files share, so slow ones hold up nobody. */
function publicAddresses(): Resolve {
  const resolver = new Resolver({ timeout: dns_timeout_ms, tries: dns_tries });
  return async (host) => {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    if (v4.status === "rejected" && v6.status === "rejected") throw v4.reason;
    const found = (answer: typeof v4, family: 4 | 6) =>
      answer.status === "rejected" ? [] : answer.value.map((address) => ({ address, family }));
    return [...found(v4, 4), ...found(v6, 6)];
  };
}

type Guard = {
  readonly allow_private: boolean;
  /** How names become addresses; for tests. */
  readonly resolve?: Resolve;
};

/**
 * For the option `lookup` of node:http and node:https: answers only addresses that may be called. With private ones
 * allowed, the system's own names (its hosts file, a container network) work too.
 */
export function guardedLookup({ allow_private, resolve }: Guard): LookupFunction {
  const addressesOf =
    resolve ?? (allow_private ? (host: string) => systemLookup(host, { all: true }) : publicAddresses());

  async function answer(host: string, options: LookupOptions): Promise<readonly LookupAddress[]> {
    const wanted = Number(options.family ?? 0);
    const found = (await addressesOf(host)).filter(({ family }) => wanted === 0 || family === wanted);
    const allowed = allow_private ? found : found.filter(({ address }) => !isPrivate(address));
    if (allowed.length === 0) throw found.length > 0 ? new AddressRefused() : notFound();
    return allowed;
  }

  return (host, options, done) => {
    answer(host, options).then(
      (addresses) => {
        const first = addresses[0] ?? { address: "", family: 0 };
        if (options.all === true) done(null, [...addresses]);
        else done(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => done(error, ""),
    );
  };
}

const notFound = (): NodeJS.ErrnoException => Object.assign(new Error("no address"), { code: "ENOTFOUND" });
