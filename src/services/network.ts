// Where somebody comes from, as something to count by: an IPv4 address, or the network of an IPv6 address, because a single
// machine there has 2^64 of them. It rests as a keyed hash, which tells nobody the address.

import { createHmac } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Seal } from "./seal.ts";

/** `203.0.113.9`; of IPv6 the first 64 bits, `2001:db8:0:7`; of an IPv4 address that arrived over IPv6 that address. */
export function networkOf(address: string): string {
  const [bare = ""] = address.trim().toLowerCase().split("%");
  if (!isIPv6(bare)) return bare;
  // The one spelling that there is of each (RFC 5952), without dots.
  const [head = "", tail] = new URL(`http://[${bare}]/`).hostname.slice(1, -1).split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const missing = 8 - groups(head).length - groups(tail ?? "").length;
  const zeros = tail === undefined ? [] : Array.from({ length: missing }, () => "0");
  const all = [...groups(head), ...zeros, ...groups(tail ?? "")];
  return all.slice(0, 6).join(":") === "0:0:0:0:0:ffff" ? dotted(all.slice(6)) : all.slice(0, 4).join(":");
}

const dotted = (groups: readonly string[]): string =>
  groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join(".");

/** 32 bytes, the same for the same network on the same account; of another account others. */
export const networkHash = (seal: Pick<Seal, "derivedKey">, account_id: number, address: string): Buffer =>
  createHmac("sha256", seal.derivedKey("network"))
    .update(`${account_id} ${networkOf(address)}`)
    .digest();
