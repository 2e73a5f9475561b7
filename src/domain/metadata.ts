// A transaction's metadata: what is known of the card and the shopper (reference: objects, section 3). Every member is
// always there; before the first attempt most are null.

export type Metadata = Readonly<Record<string, unknown>>;

type Shopsystem = { readonly name?: string | undefined; readonly version?: string | undefined };

/** The metadata of a transaction of which nothing is known yet. */
export const unknown_metadata: Metadata = {
  type: null,
  origin: null,
  brand: null,
  bin: null,
  corporate: null,
  last4: null,
  exp_month: null,
  exp_year: null,
  country: null,
  is_3d_secure: null,
  "3d_secure_type": null,
  issued_to: null,
  hash: null,
  moto: false,
  number: null,
  customer_ip: null,
  customer_country: null,
  fraud_suspected: false,
  fraud_remarks: [],
  fraud_reported: false,
  fraud_report_description: null,
  fraud_reported_at: null,
  nin_number: null,
  nin_country_code: null,
  nin_gender: null,
  shopsystem_name: null,
  shopsystem_version: null,
  ch_mid: null,
};

export const newMetadata = (shopsystem: Shopsystem | undefined): Metadata =>
  shopsystem === undefined
    ? unknown_metadata
    : {
        ...unknown_metadata,
        shopsystem_name: shopsystem.name ?? null,
        shopsystem_version: shopsystem.version ?? null,
      };
