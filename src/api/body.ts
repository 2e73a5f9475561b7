// A request's body, whatever its encoding: form with brackets, JSON or multipart, on every endpoint and every method
// (reference: protocol, section 3).

import type { IncomingMessage } from "node:http";
import { Refused } from "../domain/refusal.ts";
import { type Files, parseMultipart } from "./multipart.ts";
import { decodeUtf8, malformed, type Params, parseForm, parseJson } from "./params.ts";

export type { Files, UploadedFile } from "./multipart.ts";
export { parseForm, parseQuery } from "./params.ts";

export type ReadBody = {
  readonly params: Params;
  readonly files: Files;
  /** How many bytes came. */
  readonly bytes: number;
};

// Twice what a branding's files may be together (1 MB).
export const body_bytes_max = 2 * 1024 * 1024;
// Of a larger body this much is read and thrown away, so that a client that only listens after it has sent hears the
// 413 and not a broken connection.
const drained_bytes_max = 32 * 1024 * 1024;

const nothing = (): ReadBody => ({ params: Object.create(null) as Params, files: Object.freeze({}), bytes: 0 });

/** Reads and parses it. Throws 413, then 415, then 400 for what cannot be read. */
export async function readBody(request: IncomingMessage): Promise<ReadBody> {
  const { headers } = request;
  const length = headers["content-length"];
  if (length === "0" || (length === undefined && headers["transfer-encoding"] === undefined)) return nothing();
  const bytes = await bytesOf(request, Number(length ?? 0));
  if (bytes.length === 0) return nothing();
  const content_type = headers["content-type"] ?? "";
  const kind = kindOf(content_type, headers["content-encoding"]);
  if (kind === "multipart") return { ...parseMultipart(bytes, content_type), bytes: bytes.length };
  const text = decodeUtf8(bytes);
  const params = kind === "json" ? parseJson(text) : parseForm(withoutLineEnd(text));
  return { params, files: Object.freeze({}), bytes: bytes.length };
}

/**
 * By its media type; a body without one is a form, as in the introduction's PUT. A charset is not looked at: the body
 * must be UTF-8, and what is not is refused.
 */
function kindOf(type: string, encoding = "identity"): "form" | "json" | "multipart" {
  if (encoding.trim().toLowerCase() !== "identity") throw new Refused("media_type");
  const end = type.indexOf(";");
  const essence = (end < 0 ? type : type.slice(0, end)).trim().toLowerCase();
  if (essence === "" || essence === "application/x-www-form-urlencoded") return "form";
  if (essence === "application/json" || /^application\/[\w.-]+\+json$/.test(essence)) return "json";
  if (essence === "multipart/form-data") return "multipart";
  throw new Refused("media_type");
}

/** All that is sent, as it is. Throws 413, and 400 where it is cut short. */
export function bytesOf(
  request: IncomingMessage,
  announced = Number(request.headers["content-length"] ?? 0),
): Promise<Buffer> {
  return new Promise((done, failed) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const cut = () => failed(malformed("the body was cut short"));
    if (request.destroyed) return cut();
    if (announced > drained_bytes_max) return failed(new Refused("body_too_large"));
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= body_bytes_max) return void chunks.push(chunk);
      chunks.length = 0;
      if (size <= drained_bytes_max) return;
      request.off("data", take);
      failed(new Refused("body_too_large"));
    };
    request.on("data", take);
    request.on("end", () => {
      if (size > body_bytes_max) return failed(new Refused("body_too_large"));
      done(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    request.on("error", cut);
  });
}

/** Files end with a line end, and a form that was sent from one does too. */
function withoutLineEnd(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === "\n" || text[end - 1] === "\r")) end -= 1;
  return text.slice(0, end);
}
