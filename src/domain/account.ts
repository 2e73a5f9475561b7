// A merchant account's settings: the editable members of the Merchant object (reference: objects, section 9).

type AccountAddress = {
  readonly name: string | null;
  readonly att: string | null;
  readonly street: string | null;
  readonly city: string | null;
  readonly zip_code: string | null;
  readonly region: string | null;
  readonly country_code: string | null;
  readonly vat_no: string | null;
};

export type AccountSettings = {
  readonly shop_name: string;
  readonly shop_urls: readonly string[];
  readonly contact_email: string;
  readonly callback_url: string | null;
  readonly shopsystem: string | null;
  /** Offset from UTC, `+01:00`. */
  readonly timezone: string;
  readonly locale: string;
  readonly autofee: boolean;
  readonly allow_test_transactions: boolean;
  readonly default_branding_id: number | null;
  readonly default_branding_config: Readonly<Record<string, unknown>>;
  readonly default_payment_language: string;
  readonly default_payment_methods: string | null;
  readonly default_text_on_statement: string | null;
  readonly customer_address: AccountAddress;
  readonly billing_address: AccountAddress;
  readonly acquirer_settings: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly integration_settings: {
    readonly economic: {
      readonly active: boolean;
      readonly agreement: string | null;
      readonly agreement_token: string | null;
    };
  };
  readonly pci: Readonly<Record<string, boolean>>;
  /** ISO 8601: until then the request log keeps headers and bodies of all requests, not only of what was refused. */
  readonly logging_stops_at: string | null;
};

const no_address: AccountAddress = {
  name: null,
  att: null,
  street: null,
  city: null,
  zip_code: null,
  region: null,
  country_code: null,
  vat_no: null,
};

export const pci_levels = [
  "saq_a",
  "saq_a_ep",
  "saq_b",
  "saq_b_ip",
  "saq_c",
  "saq_c_vt",
  "saq_d_merchant",
  "saq_d_service_provider",
  "saq_p2pe_hw",
] as const;

/** A new account: test transactions allowed and clearhaus active without a key, which is enough for test cards. */
export const newAccount = (names: { shop_name: string; contact_email: string }): AccountSettings => ({
  ...names,
  shop_urls: [],
  callback_url: null,
  shopsystem: null,
  timezone: "+01:00",
  locale: "da",
  autofee: false,
  allow_test_transactions: true,
  default_branding_id: null,
  default_branding_config: {},
  default_payment_language: "en",
  default_payment_methods: null,
  default_text_on_statement: null,
  customer_address: no_address,
  billing_address: no_address,
  acquirer_settings: {
    clearhaus: {
      active: true,
      api_key: "",
      recurring: true,
      payout: true,
      apple_pay: false,
      business_code: null,
      mpi_merchant_id: null,
    },
  },
  integration_settings: { economic: { active: false, agreement: null, agreement_token: null } },
  pci: Object.fromEntries(pci_levels.map((level) => [level, false])),
  logging_stops_at: null,
});
