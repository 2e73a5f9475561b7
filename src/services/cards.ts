// The card of a request: checked, kept in memory for the acquirer, and described for the metadata.

import type { Card } from "../domain/card.ts";
import { type CardInput, cardMetadata, checkCard } from "../domain/card.ts";
import type { Metadata } from "../domain/metadata.ts";
import { Refused } from "../domain/refusal.ts";
import type { Services } from "./services.ts";
import { cardBehind } from "./vault.ts";

export type GivenCard = { readonly data: Card; readonly metadata: Metadata };

/** Throws a validation error that names the parameter at fault. */
export function cardIn(services: Services, account_id: number, input: CardInput | undefined): GivenCard {
  const checked = checkCard(input ?? {}, services.clock.now());
  if ("errors" in checked) throw new Refused("validation", checked.errors);
  return described(services, account_id, checked.card);
}

/** The saved card that a token stands for; null when the token is unknown or used, or the card cannot pay any more. */
export async function savedCardIn(services: Services, account_id: number, token: string): Promise<GivenCard | null> {
  const card = await cardBehind(services, account_id, token);
  if (card === null) return null;
  const { data, metadata } = described(services, account_id, card);
  return { data, metadata: { ...metadata, origin: "saved_card" } };
}

function described({ seal }: Services, account_id: number, data: Card): GivenCard {
  const fingerprint_key = seal.derivedKey(`card fingerprints of account ${account_id}`);
  return { data, metadata: cardMetadata(data, fingerprint_key) };
}
