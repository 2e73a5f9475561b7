// What merchants see of their requests in /requests. A line of each is gathered in memory and written with many others
// about once a second, so that no request waits for it. Headers and bodies, without secrets, are kept of what was refused,
// and of everything until the account's `logging_stops_at`: kept always they would cost more than many a request itself.

import { secret_settings } from "../domain/acquirer-settings.ts";
import { bucketOf } from "../domain/transaction.ts";
import { insertRequests } from "../storage/requests.ts";
import type { Account } from "./directory.ts";
import { masked, maskedText, pathOnly } from "./masking.ts";
import type { Services } from "./services.ts";

type Plain = Readonly<Record<string, unknown>>;

/** What both sides have said, beside the request's line. */
export type Said = {
  /** When it was answered. */
  readonly at: Date;
  /** Whose request it is; null: nobody's that would be shown it. */
  readonly account: Pick<Account, "id" | "settings"> | null;
  readonly request_headers: Plain;
  /** As read; null: not read. */
  readonly query: Plain | null;
  readonly request_body: Plain | null;
  readonly request_bytes: number;
  readonly response_headers: Plain;
  readonly response_body: string | Buffer;
};

type Line = {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly duration_ms: number;
  readonly version: string | null;
  readonly agreement_id: number | null;
  readonly ip: string;
};

// What is gathered at most until it is written; more is dropped, and counted. A line costs the database some 20 µs, a
// quarter of a whole POST /payments: so many a second are a few hundredths of a core, and more than most ever ask for. What
// was refused is looked for most, and finds room still.
const lines_max = 2_000;
const refused_lines_max = 10_000;
const details_chars_max = 8_000_000;
// A body that is larger is not looked at, and of what is left of one without its secrets so much is kept.
const body_read_max = 65_536;
const body_kept_max = 16_384;
// A statement with all lines at once would hold up the program while it is made.
const statement_lines_max = 500;

const secret_names =
  /authorization|^(x-)?auth$|passw|^pass$|pwd|secret|cookie|credential|private|(api|merchant)[_-]?key|cv[cdv]|security[_-]?code|jwt|token|otp|one[_-]?time|^(csc|cid|idempotency-key|card|number|expiration|key|pin|pem|code|recovery_codes|otpauth_url|nin|nin_number)$/i;
const acquirers_secrets = new Set(secret_settings.map(({ name }) => name));

const rules = {
  isSecret: (name: string) => secret_names.test(name) || acquirers_secrets.has(name),
  // PostgreSQL's texts hold neither NUL nor half a character.
  text: (text: string) => maskedText(text.toWellFormed().replaceAll("\0", "\ufffd")),
};

/** Cut where it is long: then it is a text, whatever it was. */
function bounded(value: unknown): unknown {
  const text = JSON.stringify(value) ?? "null";
  return text.length > body_kept_max ? `${text.slice(0, body_kept_max).toWellFormed()}…` : value;
}

const tooLarge = (bytes: number): string => `[${bytes} bytes]`;

/** A refusal says which parameters are wrong, `card[number]` too, and never repeats a value. */
function shownAnswer(text: string): unknown {
  const value = parsed(text);
  const shown = masked(value, rules);
  const errors = (value as { errors?: unknown } | null)?.errors;
  return errors === undefined ? shown : { ...(shown as object), errors };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function detailsOf({ request_headers, query, request_body, request_bytes, response_headers, response_body }: Said) {
  const bytes = Buffer.byteLength(response_body);
  const is_json = String(response_headers["Content-Type"] ?? "").startsWith("application/json");
  return {
    query: bounded(masked(query, rules)),
    request_headers: bounded(masked(request_headers, rules)),
    request_body:
      request_bytes === 0
        ? null
        : request_bytes > body_read_max
          ? tooLarge(request_bytes)
          : bounded(masked(request_body, rules)),
    response_headers: bounded(masked(response_headers, rules)),
    response_body:
      bytes === 0
        ? null
        : !is_json || bytes > body_read_max
          ? tooLarge(bytes)
          : bounded(shownAnswer(String(response_body))),
  };
}

export type RequestBook = {
  /** Keeps a request in mind, to be written soon. Never throws, never waits. */
  readonly note: (line: Line, said: Said) => void;
  /** Writes what has been gathered. */
  readonly flush: () => Promise<void>;
  /** How many lines, and how many headers and bodies, were dropped since the start. */
  readonly dropped: () => { readonly lines: number; readonly details: number };
};

export function requestBook({ pool, log }: Pick<Services, "pool" | "log">): RequestBook {
  let rows: string[] = [];
  let details_chars = 0;
  let dropped_lines = 0;
  let dropped_details = 0;

  /** As JSON; null where none are kept of this one, or too many wait already. */
  function details(line: Line, said: Said): string | null {
    const stops_at = said.account?.settings.logging_stops_at ?? null;
    if (line.status < 400 && (stops_at === null || Date.parse(stops_at) <= said.at.getTime())) return null;
    if (details_chars < details_chars_max) {
      const text = JSON.stringify(detailsOf(said));
      details_chars += text.length;
      return text;
    }
    dropped_details += 1;
    return null;
  }

  return {
    note(line, said) {
      if (said.account === null) return;
      if (rows.length >= (line.status < 400 ? lines_max : refused_lines_max)) {
        dropped_lines += 1;
        return;
      }
      const { id, method, path, status, duration_ms, version, agreement_id, ip } = line;
      const account_id = said.account.id;
      const row = JSON.stringify({
        bucket: bucketOf(account_id),
        id,
        account_id,
        at: said.at.toISOString(),
        method,
        path: pathOnly(path),
        status,
        duration: Math.round(duration_ms),
        version,
        agreement_id,
        // Behind a proxy it is what the proxy was told.
        ip: rules.text(ip),
      });
      const more = details(line, said);
      rows.push(more === null ? row : `${row.slice(0, -1)},"details":${more}}`);
    },
    async flush() {
      const waiting = rows;
      rows = [];
      details_chars = 0;
      for (let i = 0; i < waiting.length; i += statement_lines_max) {
        const some = waiting.slice(i, i + statement_lines_max);
        try {
          await insertRequests(pool, some);
        } catch (error) {
          // A log must not fill the memory while the database is away.
          dropped_lines += some.length;
          log.warn({ error: String(error), lines: some.length }, "lines of the request log could not be written");
        }
      }
    },
    dropped: () => ({ lines: dropped_lines, details: dropped_details }),
  };
}
