// multipart/form-data (RFC 7578) of a whole body in memory. Written here because the parsers at hand replace wrong UTF-8
// silently where we refuse it, and do not tell which parts they decoded by a charset of their own.

import { Refused } from "../domain/refusal.ts";
import { decodeUtf8, fromPairs, malformed, type Pair, type Params } from "./params.ts";

export type UploadedFile = { readonly name: string; readonly type: string; readonly bytes: Buffer };
/** By the parameter's name, as sent. */
export type Files = Readonly<Record<string, UploadedFile>>;

// No endpoint takes more than one; a few more may come along.
const files_max = 4;
// RFC 2046, section 5.1.1.
const boundary_length_max = 70;
const part_header_bytes_max = 8_192;

type Part = { readonly headers: string; readonly bytes: Buffer };

const broken = (): Refused => malformed("the multipart body is broken");

/** Parameters and files of a multipart body. Throws 400 for what is broken, cut short, or too much. */
export function parseMultipart(
  bytes: Buffer,
  content_type: string,
): { readonly params: Params; readonly files: Files } {
  const boundary = argumentsOf(content_type).get("boundary") ?? "";
  if (boundary === "" || boundary.length > boundary_length_max) throw broken();
  const pairs: Pair[] = [];
  const files: Record<string, UploadedFile> = Object.create(null) as Record<string, UploadedFile>;
  let files_count = 0;
  for (const part of partsOf(bytes, boundary)) {
    const disposition = argumentsOf(headerIn(part.headers, "content-disposition"));
    const name = disposition.get("name");
    if (name === undefined) throw broken();
    checkEncoding(part.headers);
    const filename = disposition.get("filename") ?? disposition.get("filename*");
    if (filename === undefined) {
      pairs.push([name, decodeUtf8(part.bytes)]);
    } else if (filename !== "" || part.bytes.length > 0) {
      files_count += 1;
      if (files_count > files_max) throw malformed(`more than ${files_max} files`);
      const [type = ""] = headerIn(part.headers, "content-type").split(";");
      const base_name = filename.split(/[\\/]/).at(-1) ?? "";
      files[name] = {
        name: base_name,
        type: type.trim().toLowerCase() || "application/octet-stream",
        bytes: part.bytes,
      };
    }
  }
  return { params: fromPairs(pairs), files };
}

const crlf = "\r\n";

/** What stands between the boundaries. Each byte is looked at a bounded number of times. */
function* partsOf(bytes: Buffer, boundary: string): Generator<Part> {
  const delimiter = Buffer.from(`${crlf}--${boundary}`, "latin1");
  // The first boundary may stand at the very beginning.
  const body = Buffer.concat([Buffer.from(crlf), bytes]);
  let at = body.indexOf(delimiter);
  while (at >= 0) {
    at += delimiter.length;
    if (body.toString("latin1", at, at + 2) === "--") return;
    while (body[at] === 0x20 || body[at] === 0x09) at += 1;
    if (body.toString("latin1", at, at + 2) !== crlf) break;
    const headers_end = body.indexOf(crlf + crlf, at);
    if (headers_end < 0 || headers_end - at > part_header_bytes_max) break;
    // The blank line's end may be the next boundary's beginning, where a part is empty.
    const next = body.indexOf(delimiter, headers_end + crlf.length);
    const start = headers_end + 2 * crlf.length;
    if (next < 0) break;
    yield { headers: decodeUtf8(body.subarray(at, headers_end)), bytes: body.subarray(start, next) };
    at = next;
  }
  throw broken();
}

/** A part's header by its lower-case name; empty when it is not there. */
function headerIn(headers: string, name: string): string {
  for (const line of headers.split(crlf)) {
    const colon = line.indexOf(":");
    if (colon > 0 && line.slice(0, colon).trim().toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return "";
}

// One argument of a header: `; name="a \"quoted\" text"` or `; boundary=token`.
const argument = /\s*;\s*([^\s=;"]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/y;

/** The arguments after a header's first value. */
function argumentsOf(header: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const first = header.indexOf(";");
  if (first < 0) return found;
  argument.lastIndex = first;
  for (let match = argument.exec(header); match !== null; match = argument.exec(header)) {
    const [, name = "", quoted, token = ""] = match;
    found.set(name.toLowerCase(), quoted === undefined ? token : unquoted(quoted));
  }
  return found;
}

/** Browsers write a quotation mark as `%22`, older clients as `\"`. */
const unquoted = (text: string): string => text.replace(/\\(["\\])/g, "$1").replaceAll("%22", '"');

/** RFC 7578 section 4.7: nobody encodes parts any more. */
function checkEncoding(headers: string): void {
  const encoding = headerIn(headers, "content-transfer-encoding").toLowerCase();
  if (!["", "7bit", "8bit", "binary"].includes(encoding)) throw new Refused("media_type");
}
