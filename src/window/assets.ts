// What pages load: our own files and scripts, from memory and named after what they hold, and brandings' stylesheets and
// images. All may be kept for ever.

import { brotliCompressSync, gzipSync } from "node:zlib";
import { isResourceName, mimeOf } from "../domain/branding-files.ts";
import { fileShown } from "../services/brandings.ts";
import type { Services } from "../services/services.ts";
import type { Answer } from "./page.ts";
import { scripts } from "./scripts.ts";
import { assetAddress, own_assets } from "./standard.ts";

type Encoding = "br" | "gzip" | "identity";
type Asset = { readonly type: string; readonly as: (encoding: Encoding) => Buffer };

const packers = { br: brotliCompressSync, gzip: gzipSync, identity: (bytes: Buffer) => bytes };

/** Packed when it is first asked for: a start that waits for all of them is slow. */
function asset(type: string, bytes: Buffer): Asset {
  const packed = new Map<Encoding, Buffer>();
  const as = (encoding: Encoding): Buffer => {
    const known = packed.get(encoding) ?? packers[encoding](bytes);
    packed.set(encoding, known);
    return known;
  };
  return { type, as };
}

const typeOf = (name: string): string => (name.endsWith(".css") ? "text/css; charset=utf-8" : mimeOf(name));

// Brandings for the original name pictures of brands by this address.
const brand_pictures = "/assets/v2/images/";

const own: ReadonlyMap<string, Asset> = new Map([
  ...scripts.map(({ path, content }) => [path, asset("text/javascript; charset=utf-8", content)] as const),
  ...[...own_assets].map(([name, bytes]) => [assetAddress(name), asset(typeOf(name), bytes)] as const),
  ...[...own_assets]
    .filter(([name]) => name.startsWith("brands/"))
    .map(([name, bytes]) => [brand_pictures + name, asset(typeOf(name), bytes)] as const),
]);

const day_s = 86_400;
const year_s = 365 * day_s;

// An SVG that is opened by itself is a document: it may do nothing.
const headers = (type: string, kept_s: number) => ({
  "Content-Type": type,
  "Cache-Control": `public, max-age=${kept_s}${kept_s === year_s ? ", immutable" : ""}`,
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  "Cross-Origin-Resource-Policy": "same-origin",
});

/** Null for what is none of ours. `accepts`: the request's Accept-Encoding. */
export function ownAsset(path: string, accepts: string): Answer | null {
  const found = own.get(path);
  if (found === undefined) return null;
  const encoding = (["br", "gzip"] as const).find((name) => accepts.includes(name)) ?? "identity";
  const kept_s = path.startsWith(brand_pictures) ? day_s : year_s;
  return {
    status: 200,
    headers: {
      ...headers(found.type, kept_s),
      Vary: "Accept-Encoding",
      ...(encoding !== "identity" && { "Content-Encoding": encoding }),
    },
    body: found.as(encoding),
  };
}

type Named = { readonly account: string; readonly branding: string; readonly version: string; readonly name: string };

/** Stylesheets and images alone: templates, settings and texts are nobody's but the window's. Null where there is none. */
export async function brandingAsset(
  services: Services,
  { account, branding, version, name }: Named,
): Promise<Answer | null> {
  const numbers = [account, branding].every((id) => /^[1-9]\d{0,9}$/.test(id));
  if (!numbers || !isResourceName(name) || !/^(stylesheets|images)\//.test(name)) return null;
  const type = typeOf(name);
  if (!/^(image|text\/css)/.test(type)) return null;
  const key = { account_id: Number(account), id: Number(branding), name };
  const file = await fileShown(services, key);
  if (file === null) return null;
  // Under another version's address it must not be kept: that version's own file may still be asked for.
  return {
    status: 200,
    headers: headers(type, version === String(file.files_version) ? year_s : 0),
    body: file.data,
  };
}
