// Previews of brandings: an address at the payment window that shows one page with a payment that nobody made. What it shows
// is sealed into the address, so that nothing is stored and nobody can make one up.

import type { TransactionType } from "../domain/transaction.ts";
import type { Services } from "./services.ts";

/** What can be looked at. `form_error` is the card form after a card was declined. */
export const preview_pages = [
  ...(["form", "form_error", "selector", "waiting", "success", "cancelled", "deadline", "error"] as const),
  ...(["3ds_auth", "3ds_challenge"] as const),
] as const;

export const preview_types = [
  "payment",
  "subscription",
  "card",
  "payout",
] as const satisfies Lowercase<TransactionType>[];

export type Preview = {
  readonly account_id: number;
  readonly branding_id: number;
  readonly page: (typeof preview_pages)[number];
  readonly language: string;
  readonly transaction_type: (typeof preview_types)[number];
};

// Long enough to look at; an address that was passed on does not last.
const lasts_ms = 15 * 60_000;
const purpose = "branding preview";
const token_pattern = /^[\w-]{1,480}$/;

/** Its address, and when that ends. */
export function previewUrl(
  { seal, clock, addresses }: Pick<Services, "seal" | "clock" | "addresses">,
  preview: Preview,
): { readonly url: string; readonly expires_at: Date } {
  const expires_at = new Date(clock.now().getTime() + lasts_ms);
  const token = seal.close(JSON.stringify({ ...preview, expires_at }), purpose).toString("base64url");
  return { url: `${addresses.window_url}/previews/${token}`, expires_at };
}

/** What an address shows; null for one that we have not made, or whose time is over. */
export function previewIn({ seal, clock }: Pick<Services, "seal" | "clock">, token: string): Preview | null {
  if (!token_pattern.test(token)) return null;
  try {
    const { expires_at, ...preview } = JSON.parse(seal.open(Buffer.from(token, "base64url"), purpose));
    return new Date(expires_at) > clock.now() ? preview : null;
  } catch {
    return null;
  }
}
