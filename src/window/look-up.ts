// What the page's script asks while a card is typed: its brand, and what the acquirer's fee would make of the total. Nothing is
// stored but the fee that was shown; without script the form says the same once it is sent.

import { niceName } from "../domain/payment-methods.ts";
import { Refused } from "../domain/refusal.ts";
import type { Services } from "../services/services.ts";
import { changeSession } from "../services/window-sessions.ts";
import { sourceOf } from "./attempt.ts";
import { checkTyped, readCardForm } from "./card-form.ts";
import { amountsShown, brandsOf } from "./model.ts";
import type { Visit } from "./visit.ts";

type Params = Readonly<Record<string, unknown>>;

// Neither changes what a card costs.
const any_expiration = "12/99";

export type LookedUp = {
  readonly brand: string | null;
  readonly nice_name: string;
  /** Two where the shopper may choose. */
  readonly brands: readonly string[];
  readonly accepted: boolean;
  /** The shopper may ask for 3-D Secure. */
  readonly three_d_secure: boolean;
  readonly fee: number | null;
  readonly fee_text: string;
  readonly total_text: string;
};

const nothing: LookedUp = {
  ...{ brand: null, nice_name: "", brands: [], accepted: false, three_d_secure: false },
  ...{ fee: null, fee_text: "", total_text: "" },
};

export async function lookUp(services: Services, visit: Visit, params: Params): Promise<LookedUp> {
  const { cardnumber, brand: chosen, cvd } = params;
  // Half of a CVD may stand there while the number is whole already: that says nothing against the card.
  const { card } = readCardForm({ cardnumber, brand: chosen, ...(/^\d{3,4}$/.test(String(cvd)) && { cvd }) });
  const typed = checkTyped({ ...card, expiration: any_expiration }, { now: services.clock.now(), cvd_needed: false });
  if ("problems" in typed) return nothing;
  const { brand } = typed;
  const brands = brandsOf(visit, typed);
  const known = {
    ...nothing,
    brand,
    nice_name: niceName(brand),
    brands,
    accepted: brands.length > 0,
    three_d_secure: !visit.terms.moto,
  };
  if (brands.length === 0) return known;
  const source = await sourceOf(services, visit, { ...card, expiration: any_expiration }).catch((error: unknown) => {
    // No acquirer takes it.
    if (error instanceof Refused) return null;
    throw error;
  });
  if (source === null) return { ...known, accepted: false };
  const { fee } = source;
  await changeSession(services, visit.session, { fee });
  const { fee_price = "", total_price, price = "" } = amountsShown(visit, fee) as Record<string, string>;
  return { ...known, fee, fee_text: fee_price, total_text: total_price ?? price };
}
