// The card of a request: checked, kept in memory for the acquirer, and described for the metadata.

import type { Card } from "../domain/card.ts";
import { type CardInput, cardMetadata, checkCard } from "../domain/card.ts";
import type { Metadata } from "../domain/metadata.ts";
import { Refused } from "../domain/refusal.ts";
import type { Services } from "./services.ts";

export type GivenCard = { readonly data: Card; readonly metadata: Metadata };

/** Throws a validation error that names the parameter at fault. */
export function cardIn({ seal, clock }: Services, account_id: number, input: CardInput | undefined): GivenCard {
  const checked = checkCard(input ?? {}, clock.now());
  if ("errors" in checked) throw new Refused("validation", checked.errors);
  const fingerprint_key = seal.derivedKey(`card fingerprints of account ${account_id}`);
  return { data: checked.card, metadata: cardMetadata(checked.card, fingerprint_key) };
}
