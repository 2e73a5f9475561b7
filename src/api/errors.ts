// Every refusal and every mistake becomes an answer here: status, message, errors, error_code.

import { type Refusal, Refused, refusals } from "../domain/refusal.ts";
import { Overloaded } from "../storage/coalesce.ts";
import { isUnavailable } from "../storage/errors.ts";

export type ErrorAnswer = {
  readonly status: number;
  readonly body: { readonly message: string; readonly errors: Refusal["fields"]; readonly error_code: string | null };
  readonly headers: Readonly<Record<string, string>>;
  /** Ours, not the caller's: to be logged. */
  readonly cause: unknown;
};

// How long a client should wait for a database that restarts.
const unavailable_retry_s = 2;

export function answerTo(error: unknown): ErrorAnswer {
  if (error instanceof Refused) return { ...refusalAnswer(error), cause: null };
  if (isUnavailable(error) || error instanceof Overloaded) {
    return { ...refusalAnswer(new Refused("unavailable", null, { retry_after_s: unavailable_retry_s })), cause: error };
  }
  return { ...refusalAnswer(new Refused("internal")), cause: error };
}

function refusalAnswer({ refusal, retry_after_s }: Refused): Omit<ErrorAnswer, "cause"> {
  const { http, message } = refusals[refusal.code];
  const headers: Record<string, string> = {};
  if (http === 401) headers["WWW-Authenticate"] = 'Basic realm="CoolPay API", charset="UTF-8"';
  if (retry_after_s !== null) headers["Retry-After"] = String(retry_after_s);
  return {
    status: http,
    headers,
    body: { message: refusal.message ?? message, errors: refusal.fields, error_code: null },
  };
}
