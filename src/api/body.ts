// A request's body, whatever its encoding: form with brackets, JSON or multipart, on every endpoint and every method
// (reference: protocol, section 3).

import type { IncomingMessage } from "node:http";
import busboy from "busboy";
import { Refused } from "../domain/refusal.ts";
import { fromJson, fromPairs, malformed, type Params, params_max, parseForm } from "./params.ts";

export { parseForm } from "./params.ts";

export type UploadedFile = { readonly name: string; readonly type: string; readonly bytes: Buffer };
export type Files = Readonly<Record<string, UploadedFile>>;
export type ReadBody = { readonly params: Params; readonly files: Files };

// Twice what a branding's files may be together (1 MB).
const body_bytes_max = 2 * 1024 * 1024;
const files_max = 4;

const no_files: Files = Object.freeze({});

/** Reads and parses it. Throws 413, 415, or 400 for what cannot be read. */
export async function readBody(request: IncomingMessage): Promise<ReadBody> {
  const { headers } = request;
  const length = headers["content-length"];
  if (length === "0" || (length === undefined && headers["transfer-encoding"] === undefined)) {
    return { params: Object.create(null) as Params, files: no_files };
  }
  if (Number(length ?? 0) > body_bytes_max) throw new Refused("body_too_large");
  const kind = kindOf(headers["content-type"], headers["content-encoding"]);
  const bytes = await bytesOf(request);
  if (kind === "multipart") return multipart(bytes, headers["content-type"] ?? "");
  const text = decodeUtf8(bytes);
  return { params: kind === "json" ? parseJson(text) : parseForm(text.trim()), files: no_files };
}

type Kind = "form" | "json" | "multipart";

/** A body without a type is a form, as in the introduction's PUT. */
function kindOf(type: string | undefined, encoding: string | undefined): Kind {
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") throw new Refused("media_type");
  const [essence = "", ...parameters] = (type ?? "").toLowerCase().split(";").map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice(8).replaceAll('"', "");
  if (charset !== undefined && !["utf-8", "utf8", "us-ascii"].includes(charset)) throw new Refused("media_type");
  if (essence === "" || essence === "application/x-www-form-urlencoded") return "form";
  if (/^application\/([\w.-]+\+)?json$/.test(essence)) return "json";
  if (essence === "multipart/form-data") return "multipart";
  throw new Refused("media_type");
}

function bytesOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((done, failed) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > body_bytes_max) {
        request.removeAllListeners("data");
        request.resume();
        return failed(new Refused("body_too_large"));
      }
      chunks.push(chunk);
    });
    request.on("end", () => done(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    const cut = () => failed(malformed("the body was cut short"));
    request.on("error", cut);
    request.on("aborted", cut);
  });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed("the body is not valid UTF-8");
  }
}

function parseJson(text: string): Params {
  if (text.trim() === "") return Object.create(null) as Params;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("the body is not valid JSON");
  }
  return fromJson(value);
}

function multipart(bytes: Buffer, content_type: string): Promise<ReadBody> {
  return new Promise((done, failed) => {
    const pairs: [string, unknown][] = [];
    const files: Record<string, UploadedFile> = Object.create(null) as Record<string, UploadedFile>;
    const broken = () => failed(malformed("the multipart body is broken"));
    let parser: ReturnType<typeof busboy>;
    try {
      // Texts are taken as bytes and decoded here, because wrong UTF-8 shall be refused, not replaced.
      const charsets = { defCharset: "latin1", defParamCharset: "latin1" } as const;
      const limits = { fields: params_max + 1, files: files_max, fieldSize: body_bytes_max, fieldNameSize: 1_000 };
      parser = busboy({ headers: { "content-type": content_type }, ...charsets, limits });
    } catch {
      return broken();
    }
    const text = (latin1: string): string => decodeUtf8(Buffer.from(latin1, "latin1"));
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        failed(error);
      }
    };
    parser.on("field", (name, value) => guarded(() => void pairs.push([text(name), text(value)])));
    parser.on("file", (name, stream, { filename, mimeType }) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        files[name] = { name: filename ?? "", type: mimeType, bytes: Buffer.concat(chunks) };
      });
      stream.on("error", broken);
    });
    parser.on("filesLimit", () => failed(malformed(`more than ${files_max} files`)));
    parser.on("error", broken);
    parser.on("close", () => guarded(() => done({ params: fromPairs(pairs), files })));
    parser.end(bytes);
  });
}
