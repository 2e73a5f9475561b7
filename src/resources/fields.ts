// Parameters that several resources share and that have rules of their own.

import { judged, text } from "../api/fields.ts";
import { isCurrency } from "../domain/currency.ts";
import { notFound } from "../domain/refusal.ts";

// Whatever is wrong with it, the live service answers about its length, and modules show that (reference: order_id rule).
export const order_id = text({
  pattern: /^[a-zA-Z0-9 ._-]{4,20}$/,
  max: 20,
  message: "must have length between 4 and 20",
});

/** ISO 4217, alphabetic; lower case is taken and stored upper case. */
export const currencyField = () =>
  judged(
    (value) => {
      const code = value.toUpperCase();
      return isCurrency(code) ? code : undefined;
    },
    { description: "ISO 4217", message: "does not have a valid value" },
  );

/** What a bank prints: 22 characters of printable ASCII. */
export const text_on_statement = () => text({ max: 22, pattern: /^[\x20-\x7e]*$/ });

/** The ulid in a path. Throws 404 for what is none: the database need not be asked, and cannot be about every text. */
export function ulidIn({ id = "" }: Readonly<Record<string, string>>, what: string): string {
  if (!/^[0-9A-HJKMNP-TV-Z]{26}$/.test(id)) throw notFound(what, id);
  return id;
}
