// The acquirers that an account can be set up for (reference: resources, ACQUIRER).

export const acquirer_names = [
  "bambora",
  "clearhaus",
  "coinify",
  "elavon",
  "handelsbanken",
  "klarna",
  "klarnapayments",
  "mobilepay",
  "mobilepayonline",
  "mobilepaysubscriptions",
  "nets",
  "paypal",
  "paysafecard",
  "resurs",
  "sofort",
  "swedbank",
  "swish",
  "teller",
  "trustly",
  "valitor",
  "viabill",
  "vipps",
] as const;

export type AcquirerName = (typeof acquirer_names)[number];

/** Those that can be asked whether they know the merchant (reference: resources, section 6). */
export const testable_acquirers = [
  "bambora",
  "clearhaus",
  "elavon",
  "handelsbanken",
  "nets",
  "paypal",
  "swedbank",
  "teller",
  "valitor",
] as const satisfies readonly AcquirerName[];
