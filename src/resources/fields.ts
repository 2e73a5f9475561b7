// Parameters that several resources share and that have rules of their own.

import { text } from "../api/fields.ts";
import { isCurrency } from "../domain/currency.ts";

// Whatever is wrong with it, the live service answers about its length, and modules show that (reference: order_id rule).
export const order_id_pattern = /^[a-zA-Z0-9 ._-]{4,20}$/;
export const order_id = text({ pattern: order_id_pattern, message: "must have length between 4 and 20", verbatim: true });

/** ISO 4217, alphabetic; lower case is taken and stored upper case. */
export const currencyField = () => text({ accepts: isCurrency, transform: (value) => value.toUpperCase(), description: "ISO 4217" });

/** What a bank prints: 22 characters of printable ASCII. */
export const text_on_statement = () => text({ max: 22, pattern: /^[\x20-\x7e]*$/ });
