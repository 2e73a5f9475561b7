// Every refusal and every mistake becomes an answer here: status, message, errors, error_code.

import { Type } from "typebox";
import { type Refusal, Refused, refusals } from "../domain/refusal.ts";
import { Overloaded } from "../storage/coalesce.ts";
import { isUnavailable } from "../storage/errors.ts";

const texts = Type.Array(Type.String());
const about = "Parameter path in brackets -> what is wrong with it";
/** Until v10 there is nothing else in it. */
export const TextsShape = Type.Union([Type.Record(Type.String(), texts), Type.Null()], { description: about });
const ErrorsShape = Type.Union(
  [Type.Record(Type.String(), Type.Union([texts, Type.Integer(), Type.String(), Type.Null()])), Type.Null()],
  { description: `${about}; with \`order_id_taken\` also \`id\`, \`state\` and \`link\` of what has the order id` },
);

/** What every refusal says. */
export const ErrorShape = Type.Object(
  {
    message: Type.String(),
    errors: ErrorsShape,
    error_code: Type.Union([Type.String(), Type.Null()], { description: "A stable word for programs, from v11b on" }),
  },
  { title: "Error" },
);

export type ErrorAnswer = {
  readonly status: number;
  readonly body: { readonly message: string; readonly errors: object | null; readonly error_code: string | null };
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
    body: { message: refusal.message ?? message, errors: errorsOf(refusal), error_code: refusal.code },
  };
}

/** Beside what is wrong with parameters, what is known of the transaction that has the order id. */
const errorsOf = ({ fields, other }: Refusal): object | null =>
  fields === null || other === undefined ? fields : { ...fields, ...other };
