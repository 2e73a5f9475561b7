// Every way this system says no, in one table: code, HTTP status and message. The codes are the words of `error_code`.

export const refusals = {
  no_such_path: { http: 404, message: "Not found: no such path" },
  method_not_allowed: { http: 405, message: "Method not allowed" },
  version_not_served: { http: 406, message: "Not acceptable" },
  not_acceptable: { http: 406, message: "Not acceptable: only application/json is available" },
  authentication_required: { http: 401, message: "Authentication required" },
  invalid_api_key: { http: 401, message: "Invalid API key" },
  invalid_password: { http: 401, message: "Invalid e-mail or password" },
  one_time_password_required: { http: 401, message: "One-time password required" },
  plan_required: { http: 402, message: "Payment plan required" },
  not_authorized: { http: 403, message: "Not authorized" },
  not_found: { http: 404, message: "Not found" },
  validation: { http: 400, message: "Validation error" },
  malformed_request: { http: 400, message: "Bad request" },
  amount_too_large: { http: 400, message: "Validation error" },
  order_id_taken: { http: 409, message: "Validation error" },
  conflict: { http: 409, message: "Conflict" },
  wrong_state: { http: 400, message: "Validation error: Transaction in wrong state for this operation" },
  operation_pending: { http: 400, message: "Validation error: Transaction in wrong state for this operation" },
  cannot_abort: { http: 428, message: "Precondition required: the operation cannot be aborted" },
  idempotency_key_invalid: { http: 400, message: "Validation error" },
  idempotency_key_reused: { http: 409, message: "Idempotency-Key was used for another request" },
  idempotency_key_running: { http: 409, message: "The first request with this Idempotency-Key is still running" },
  request_timeout: { http: 408, message: "Request timeout" },
  body_too_large: { http: 413, message: "Request body too large" },
  media_type: { http: 415, message: "Unsupported media type" },
  too_many_failures: { http: 429, message: "Too Many 4XX Requests" },
  headers_too_large: { http: 431, message: "Request headers too large" },
  internal: { http: 500, message: "Internal server error" },
  mail_not_configured: { http: 503, message: "Mail is not configured: ask the operator of this installation" },
  unavailable: { http: 503, message: "Service unavailable, try again" },
} as const satisfies Record<string, { http: number; message: string }>;

export type RefusalCode = keyof typeof refusals;
/** Parameter path in brackets -> what is wrong with it. */
export type Fields = Readonly<Record<string, readonly string[]>>;
export type Refusal = {
  readonly code: RefusalCode;
  readonly fields: Fields | null;
  /** Said instead of the table's message. */
  readonly message?: string;
  readonly other?: Other;
};

/** The transaction that has the order id already; `link` is its payment window link's address. */
export type Other = { readonly id: number; readonly state: string; readonly link: string | null };

export const refuse = (code: RefusalCode, fields: Fields | null = null): Refusal => ({ code, fields });

type Details = { readonly message?: string; readonly retry_after_s?: number; readonly other?: Other };

/** Refusals are values in the domain. A service throws one, and the edge catches it. */
export class Refused extends Error {
  readonly refusal: Refusal;
  /** Sent as `Retry-After`. */
  readonly retry_after_s: number | null;

  constructor(code: RefusalCode, fields: Fields | null = null, { message, retry_after_s, other }: Details = {}) {
    super(message ?? refusals[code].message);
    this.refusal = { code, fields, message: message ?? refusals[code].message, ...(other && { other }) };
    this.retry_after_s = retry_after_s ?? null;
  }
}

// Numbers and ulids. What is neither may be anything, a card number too, and is not repeated.
const id_pattern = /^(\d{1,10}|[0-9A-Z]{26})$/;

/** `Not found: No Payment with id 17` */
export const notFound = (what: string, id: string | number): Refused =>
  new Refused("not_found", null, {
    message: `Not found: No ${what} with ${id_pattern.test(String(id)) ? `id ${id}` : "that id"}`,
  });

/** For what need not be there: null in place of `not_found`. Everything else that goes wrong still does. */
export function unlessMissing(error: unknown): null {
  if (error instanceof Refused && error.refusal.code === "not_found") return null;
  throw error;
}

/** `Not authorized: <why>`; clients compare the first words. */
export const notAuthorized = (why: string): Refused =>
  new Refused("not_authorized", null, { message: `Not authorized: ${why}` });

export function unless(refusal: Refusal | null): void {
  if (refusal !== null) throw new Refused(refusal.code, refusal.fields, { message: refusal.message });
}
