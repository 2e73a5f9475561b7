// What an account can be set up with at each acquirer (reference: resources, section 6). Secrets rest sealed.

import type { AcquirerName } from "./acquirers.ts";

/** `given`: the acquirer decides it; shown, never set. */
export type SettingKind = "flag" | "text" | "secret" | "integer" | "texts" | "given";
type Kinds = Readonly<Record<string, SettingKind>>;

const schemes: Kinds = {
  active: "flag",
  identification_code: "text",
  identification_code_int: "text",
  business_code: "text",
  recurring: "flag",
  americanexpress: "flag",
  dinersclub: "flag",
  securepay: "flag",
  visa_mpi_merchant_id: "text",
  mastercard_mpi_merchant_id: "text",
  visa_bin: "text",
  mastercard_bin: "text",
};

export const acquirer_settings: Readonly<Record<AcquirerName, Kinds>> = {
  bambora: schemes,
  clearhaus: {
    active: "flag",
    api_key: "secret",
    recurring: "flag",
    payout: "flag",
    apple_pay: "flag",
    business_code: "given",
    mpi_merchant_id: "given",
  },
  coinify: { active: "flag", api_key: "secret", api_secret: "secret", ipn_secret: "secret" },
  elavon: schemes,
  handelsbanken: schemes,
  klarna: { active: "flag", eid: "integer", shared_secret: "secret" },
  klarnapayments: { active: "flag", uid: "text", password: "secret" },
  mobilepay: { active: "flag", delivery_limited_to: "text" },
  mobilepayonline: { active: "flag", merchant_id: "integer", delivery_limited_to: "text" },
  mobilepaysubscriptions: {
    active: "flag",
    auth_state: "secret",
    code_verifier: "secret",
    last_token_refresh: "integer",
    nonce: "secret",
    pending_status: "integer",
    provider: "text",
    refresh_token: "secret",
  },
  nets: {
    active: "flag",
    identification_code: "text",
    identification_code_int: "text",
    business_code: "text",
    recurring: "flag",
    fbg1886: "flag",
    secured_by_nets: "flag",
    americanexpress: "flag",
    dinersclub: "flag",
    securepay: "flag",
    visa_mpi_merchant_id: "given",
    mastercard_mpi_merchant_id: "given",
    visa_bin: "text",
    mastercard_bin: "text",
  },
  paypal: {
    active: "flag",
    recurring: "flag",
    credit_card: "flag",
    token: "secret",
    token_secret: "secret",
    scope: "text",
  },
  paysafecard: { active: "flag", username: "text", password: "secret", currencies: "texts" },
  resurs: { active: "flag", customer_id: "text", customer_password: "secret" },
  sofort: {
    active: "flag",
    customer_number: "integer",
    project_id: "integer",
    api_key: "secret",
    gateway: "flag",
    ideal: "flag",
    ideal_project_id: "integer",
    ideal_project_password: "secret",
    ideal_notification_password: "secret",
  },
  swedbank: schemes,
  swish: { active: "flag", merchant_id: "text", cryptography_key_id: "integer" },
  teller: schemes,
  trustly: { active: "flag", ideal: "flag", username: "text", password: "secret" },
  valitor: schemes,
  viabill: { active: "flag", api_key: "secret" },
  vipps: {
    active: "flag",
    client_id: "text",
    client_secret: "secret",
    serial_number: "text",
    access_token_subscription_key: "secret",
    ecommerce_subscription_key: "secret",
    orgno: "text",
  },
};

/** What has to be said whenever an acquirer's settings are changed by themselves, beside `active`. */
export const required_settings: Readonly<Partial<Record<AcquirerName, readonly string[]>>> = {
  bambora: ["identification_code", "business_code"],
  clearhaus: ["api_key"],
  coinify: ["api_key", "api_secret"],
  elavon: ["identification_code", "business_code"],
  handelsbanken: ["identification_code", "business_code"],
  klarna: ["eid", "shared_secret"],
  klarnapayments: ["uid", "password"],
  nets: ["identification_code", "business_code"],
  paysafecard: ["username", "password", "currencies"],
  resurs: ["customer_id", "customer_password"],
  sofort: ["customer_number", "project_id", "api_key"],
  swedbank: ["identification_code", "business_code"],
  swish: ["merchant_id"],
  teller: ["identification_code", "business_code"],
  trustly: ["ideal", "username", "password"],
  valitor: ["identification_code", "business_code"],
  viabill: ["api_key"],
  vipps: ["client_id", "client_secret", "serial_number", "access_token_subscription_key", "ecommerce_subscription_key"],
};

/** What a change writes where nothing was ever set. */
export const default_settings: Readonly<Partial<Record<AcquirerName, Readonly<Record<string, unknown>>>>> = {
  mobilepaysubscriptions: { pending_status: 0 },
  nets: { securepay: true },
  sofort: { gateway: true },
  teller: { securepay: true },
};

/** Which of the required settings are empty: without them the acquirer knows nobody. */
export const missingSettings = (
  acquirer: AcquirerName,
  settings: Readonly<Record<string, unknown>>,
): readonly string[] =>
  (required_settings[acquirer] ?? []).filter((name) => {
    const value = settings[name] ?? null;
    return value === null || value === "";
  });

/** Every setting that is a secret. */
export const secret_settings = Object.entries(acquirer_settings).flatMap(([acquirer, kinds]) =>
  Object.keys(kinds)
    .filter((name) => kinds[name] === "secret")
    .map((name) => ({ acquirer, name })),
);

type Settings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Every acquirer with every member: what was never set is null, `active` false. */
export function allAcquirerSettings(set: Settings): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(acquirer_settings).map(([acquirer, kinds]) => [
      acquirer,
      Object.fromEntries(
        Object.keys(kinds).map((name) => [name, set[acquirer]?.[name] ?? (name === "active" ? false : null)]),
      ),
    ]),
  );
}

/** The settings with every secret text passed through `change` (sealing it, or opening it). */
export function withSecrets(set: Settings, change: (value: unknown) => unknown): Settings {
  return Object.fromEntries(
    Object.entries(set).map(([acquirer, values]) => [
      acquirer,
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => {
          const secret = acquirer_settings[acquirer as AcquirerName]?.[name] === "secret";
          return [name, secret && value !== null && value !== "" ? change(value) : value];
        }),
      ),
    ]),
  );
}
