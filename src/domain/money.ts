// Money is a whole number of minor units (øre, cents) and always travels with its currency. There is no float and no
// rounding anywhere below the screen.

declare const minorUnits: unique symbol;
export type Amount = number & { readonly [minorUnits]: true };

/** Typed clients read amounts as 32-bit integers. */
export const amount_max = 2 ** 31 - 1;

/** Throws when the number is not a whole number of minor units from 0 to `amount_max`: a mistake of ours, not of a client. */
export function amount(minor: number): Amount {
  if (!Number.isInteger(minor) || minor < 0 || minor > amount_max) {
    throw new RangeError(`an amount is a whole number of minor units up to ${amount_max}: ${minor}`);
  }
  return minor as Amount;
}

export const zero = amount(0);
export const plus = (a: Amount, b: Amount): Amount => amount(a + b);

/** Throws when it would go below zero: callers check the limit before they subtract. */
export const minus = (a: Amount, b: Amount): Amount => amount(a - b);
