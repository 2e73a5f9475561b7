// How a receiver knows that a callback is ours and unchanged: the checksum that shop modules compute, and the signature
// of Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks). Both keyed with the account's private key.

import { createHmac } from "node:crypto";

/** Lower-case hex HMAC-SHA256 of the body. The key is the private key's text itself, not the bytes its hex stands for. */
export const checksum = (private_key: string, body: string | Uint8Array): string =>
  createHmac("sha256", private_key).update(body).digest("hex");

export type Signed = {
  /** `webhook-id`: the same on every retry. */
  readonly id: string;
  /** `webhook-timestamp`: seconds since 1970. */
  readonly timestamp_s: number;
  readonly body: string | Uint8Array;
};

/** One signature of the header `webhook-signature`, which holds one per key with spaces between: `v1,<base64>`. */
export const webhookSignature = (private_key: string, { id, timestamp_s, body }: Signed): string =>
  `v1,${createHmac("sha256", private_key).update(`${id}.${timestamp_s}.`).update(body).digest("base64")}`;

/** The private key in the form that Standard Webhooks libraries ask for. */
export const webhookSecret = (private_key: string): string => `whsec_${Buffer.from(private_key).toString("base64")}`;
