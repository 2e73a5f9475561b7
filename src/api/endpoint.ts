// An endpoint is declared once. Routing, validation and its messages, permission, the permission matrix, the OpenAPI
// document and the types of the handler are all read from the declaration.

import type { Static, TObject, TSchema } from "typebox";
import type { Agreement, Method } from "../domain/access.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import type { Account, User } from "../services/directory.ts";
import type { Actor, Services } from "../services/services.ts";
import type { Files, UploadedFile } from "./body.ts";
import type { Version } from "./versions/index.ts";

/**
 * Whose credentials an endpoint asks for. `merchant`: an agreement, by API key or through a user. `user`: a person.
 * `user_or_merchant`: either; a person without `CoolPay-Account-Id` acts for herself. `anonymous`: none needed, but
 * wrong ones are still refused.
 */
export type Scope = "anonymous" | "user" | "merchant" | "user_or_merchant";

type Caller<S extends Scope> = S extends "merchant"
  ? { readonly agreement: Agreement; readonly account: Account; readonly user: User | null }
  : S extends "user"
    ? { readonly agreement: null; readonly account: null; readonly user: User }
    : { readonly agreement: Agreement | null; readonly account: Account | null; readonly user: User | null };

export type Request<I extends TObject = TObject, S extends Scope = Scope> = Caller<S> & {
  /** The session that a person calls through; null with a password or key. */
  readonly session_id: number | null;
  readonly services: Services;
  /** Query and body together, validated: a handler does not care where a value was written. */
  readonly input: Static<I>;
  /** What was sent, before validation. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly files: Files;
  readonly path: Readonly<Record<string, string>>;
  readonly actor: Actor;
  readonly version: Version;
  /** The caller waits: the query string holds `synchronized`, whatever its value, where the endpoint takes it. */
  readonly synchronized: boolean;
  /** From `CoolPay-Callback-Url` or `QuickPay-Callback-Url`. */
  readonly callback_url: string | null;
  readonly url: { readonly path: string; readonly query: string };
  readonly user_agent: string;
};

/** A request whose input does not matter: what functions shared by several endpoints take. */
export type AnyRequest<S extends Scope = Scope> = Omit<Request<TObject, S>, "input">;

export type Reply = {
  readonly status: 200 | 201 | 202 | 204;
  /** JSON, unless `type` says otherwise. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The media type of a static resource's `body` (text, bytes, or parts where it may be large). */
  readonly type?: string;
};

/** A body that is never whole in memory. */
export type Parts = { readonly bytes: number; readonly parts: AsyncIterable<Buffer> };

export const isInParts = (body: unknown): body is Parts =>
  typeof body === "object" && body !== null && "parts" in body && "bytes" in body;

/** What a request did, as the row of its Idempotency-Key names it: the resource, and on a transaction the operation. */
export type Effect = { readonly id: number; readonly operation_id: number | null };

type Declaration<I extends TObject, S extends Scope> = {
  readonly summary: string;
  readonly description?: string;
  readonly scope: S;
  readonly input: I;
  /** What a parameter of the path may be, where it is one of a few words; `wordIn` reads it. */
  readonly words?: Readonly<Record<string, readonly string[]>>;
  /** The answer's shape, by status; null: an empty body. */
  readonly output: Readonly<Partial<Record<200 | 201 | 202 | 204, TSchema | null>>>;
  /**
   * Takes `CoolPay-Callback-Url`, `?synchronized`, and answers 202 with Location. `always`: only older versions may wait
   * for it (v11b).
   */
  readonly asynchronous?: true | "always";
  /** Answers with its own media type, ignores Accept, and its errors have empty bodies. */
  readonly static?: true;
  /**
   * Takes a file: the multipart part `file`. Without one it is 400; who declares this finds it with `uploaded`. `or_text`:
   * what it holds may also be written into the parameter `file`, which is among `input` then.
   */
  readonly file?: true | "or_text";
  /** What the path names need not be there (404), although no parameter of the path says which it is. */
  readonly optional?: true;
  /** For `anonymous` and `user_or_merchant`: an agreement must still have the permission. */
  readonly permission?: true;
  /** Takes a shopper's money, or begins to: refused while the account is suspended. */
  readonly charges?: boolean;
  /** JSON null clears a nullable value (PATCH). */
  readonly nulls?: true;
  /**
   * Answers a repeated Idempotency-Key whose first process was lost after its effect: from what that made, as it is now.
   * Null while it is still under way. Whatever commits a claim needs it.
   */
  readonly resume?: (request: AnyRequest<S>, effect: Effect) => Promise<Reply | null> | Reply | null;
  /** In the permission matrix and the reference; false for what only the house uses. */
  readonly listed?: false;
  readonly handle: (request: Request<I, S>) => Promise<Reply> | Reply;
};

export type Endpoint = Declaration<TObject, Scope> & { readonly method: Method; readonly path: `/${string}` };

const on =
  (method: Method) =>
  <I extends TObject, S extends Scope>(path: `/${string}`, declaration: Declaration<I, S>): Endpoint =>
    // The server only calls `handle` with what `input` accepted and for callers of `scope`, so the types may be forgotten.
    ({ ...declaration, method, path }) as unknown as Endpoint;

export const get = on("GET");
export const post = on("POST");
export const put = on("PUT");
export const patch = on("PATCH");
export const del = on("DELETE");

/** The file that an endpoint takes which declares so: it was looked for before. */
export function uploaded({ files }: Pick<AnyRequest, "files">): Buffer {
  const file: UploadedFile | undefined = files.file;
  if (file === undefined) throw new Error("only an endpoint that declares `file` has one");
  return file.bytes;
}

const id_max = 2 ** 31 - 1;

/** The number in a path; what is not one names nothing: 404 `Not found: No Payment with id x`. */
export function idIn(path: Readonly<Record<string, string>>, what: string, name = "id"): number {
  const text = path[name] ?? "";
  const id = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (id < 1 || id > id_max) throw notFound(what, text);
  return id;
}

/** The word in a path. Throws 400 for one that is not among `words`. */
export function wordIn<const Word extends string>(
  path: Readonly<Record<string, string>>,
  name: string,
  words: readonly Word[],
): Word {
  const word = words.find((one) => one === path[name]);
  if (word === undefined) throw new Refused("validation", { [name]: ["does not have a valid value"] });
  return word;
}
