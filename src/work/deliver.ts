// One callback, sent once: an HTTP POST of the very bytes in the outbox (reference: callbacks).

import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { checksum, webhookSignature } from "../domain/checksum.ts";
import { AddressRefused, checkLiteral, guardedLookup } from "./private-addresses.ts";

export type Parcel = {
  readonly id: string;
  readonly url: string;
  readonly body: string;
  readonly resource_type: string;
  readonly account_id: number;
  readonly version: string;
  readonly sequence: number;
};

export type Delivery = {
  readonly success: boolean;
  /** The last HTTP status; null when none came. */
  readonly response_code: number | null;
  readonly duration_ms: number;
  /** Why no status came. */
  readonly error: string | null;
  readonly headers: Readonly<Record<string, string>>;
};

type Context = {
  readonly keys: readonly string[];
  readonly at: Date;
  /** Only 2xx is success: 302 and 303 are not. */
  readonly only2xx: boolean;
};

export type Sender = {
  readonly send: (parcel: Parcel, context: Context) => Promise<Delivery>;
  readonly close: () => void;
};

// An attempt ends after this long, redirects included.
const attempt_ms = 30_000;
const redirects_max = 5;
// Answers are not used; more of one than this is not read.
const answer_bytes_max = 64 * 1024;
const connections_per_host_max = 8;

/** Both header families, and Standard Webhooks' own. `keys`: newest first; the checksum uses that one alone. */
export function headersFor(
  parcel: Parcel,
  { keys, at }: { keys: readonly string[]; at: Date },
): Record<string, string> {
  const { id, body, resource_type, account_id, version, sequence } = parcel;
  const timestamp_s = Math.floor(at.getTime() / 1000);
  const family = (brand: string): Record<string, string> => ({
    [`${brand}-Resource-Type`]: resource_type,
    [`${brand}-Account-ID`]: String(account_id),
    [`${brand}-API-Version`]: version,
    [`${brand}-Checksum-Sha256`]: checksum(keys[0] ?? "", body),
  });
  return {
    "Content-Type": "application/json",
    Accept: "*/*",
    "User-Agent": "CoolPay",
    ...family("CoolPay"),
    ...family("QuickPay"),
    "CoolPay-Sequence": String(sequence),
    "webhook-id": id,
    "webhook-timestamp": String(timestamp_s),
    "webhook-signature": keys.map((key) => webhookSignature(key, { id, timestamp_s, body })).join(" "),
  };
}

export function createSender({ allow_private }: { allow_private: boolean }): Sender {
  const options = { keepAlive: true, maxSockets: connections_per_host_max, lookup: guardedLookup({ allow_private }) };
  const agents = { "http:": new HttpAgent(options), "https:": new HttpsAgent(options) };

  async function post(
    url: URL,
    parcel: Parcel,
    sent: { headers: Record<string, string>; signal: AbortSignal },
  ): Promise<Answer> {
    checkLiteral(url.hostname, allow_private);
    const body = Buffer.from(parcel.body);
    const secure = url.protocol === "https:";
    return new Promise((done, failed) => {
      const request = (secure ? httpsRequest : httpRequest)(
        url,
        {
          method: "POST",
          agent: secure ? agents["https:"] : agents["http:"],
          headers: { ...sent.headers, "Content-Length": String(body.length) },
          signal: sent.signal,
        },
        (response) => {
          let size = 0;
          response.on("data", (chunk: Buffer) => {
            size += chunk.length;
            if (size > answer_bytes_max) response.destroy();
          });
          response.on("close", () => done({ status: response.statusCode ?? 0, headers: response.headers }));
          response.on("error", () => {});
        },
      );
      request.on("error", failed);
      request.end(body);
    });
  }

  async function send(parcel: Parcel, context: Context): Promise<Delivery> {
    const started = performance.now();
    const headers = headersFor(parcel, context);
    const signal = AbortSignal.timeout(attempt_ms);
    const ended = (result: Pick<Delivery, "success" | "response_code" | "error">): Delivery => ({
      ...result,
      duration_ms: Math.round(performance.now() - started),
      headers,
    });
    try {
      let url = new URL(parcel.url);
      for (let redirects = 0; ; redirects++) {
        const { status, headers: answered } = await post(url, parcel, { headers, signal });
        const target = [301, 307, 308].includes(status) ? answered.location : undefined;
        if (target === undefined) {
          const success = context.only2xx ? is2xx(status) : isSuccess(status);
          return ended({ success, response_code: status, error: null });
        }
        if (redirects >= redirects_max)
          return ended({ success: false, response_code: status, error: "too many redirects" });
        url = new URL(target, url);
        if (!/^https?:$/.test(url.protocol))
          return ended({ success: false, response_code: status, error: "redirected elsewhere than to http" });
      }
    } catch (error) {
      return ended({ success: false, response_code: null, error: reasonOf(error) });
    }
  }

  return { send, close: () => Object.values(agents).forEach((agent) => void agent.destroy()) };
}

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders };

const is2xx = (status: number): boolean => status >= 200 && status < 300;
const isSuccess = (status: number): boolean => is2xx(status) || status === 302 || status === 303;

function reasonOf(error: unknown): string {
  if (error instanceof AddressRefused) return "the address is not public";
  const { name, code } = error as { name?: string; code?: string };
  if (name === "TimeoutError" || name === "AbortError") return "no answer in time";
  return code ?? "the connection failed";
}
