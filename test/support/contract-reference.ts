// What the contract data leaves to the reference's pages: the parameters of POST /payments, which the data has as one body,
// and which members may be null.

type Line = readonly [
  name: string,
  type: string,
  more?: { readonly required?: true; readonly enum?: readonly string[] },
];

const needed = { required: true } as const;

const address_members =
  `name att company_name street house_number house_extension city zip_code region country_code vat_no
  phone_number mobile_number email`.split(/\s+/);
const address = (group: string): Line[] => address_members.map((name): Line => [`${group}[${name}]`, "string"]);

const shipping_methods = `store_pick_up home_delivery registered_box unregistered_box pick_up_point own_delivery`.split(
  " ",
);

/** Resources, sections 7.2 and 0. */
const new_payment: readonly Line[] = [
  ["order_id", "string", needed],
  ["currency", "string", needed],
  ...address("invoice_address"),
  ...address("shipping_address"),
  ["branding_id", "integer"],
  ["basket[][qty]", "integer", needed],
  ["basket[][item_no]", "string", needed],
  ["basket[][item_name]", "string", needed],
  ["basket[][item_price]", "integer", needed],
  ["basket[][vat_rate]", "number", needed],
  ["shipping[method]", "string", { enum: shipping_methods }],
  ["shipping[company]", "string"],
  ["shipping[amount]", "integer"],
  ["shipping[vat_rate]", "number"],
  ["shipping[tracking_number]", "string"],
  ["shipping[tracking_url]", "string"],
  ["shopsystem[name]", "string"],
  ["shopsystem[version]", "string"],
  // As the data has it of subscriptions, cards and payouts.
  ["variables", "string"],
  ["text_on_statement", "string"],
];

/** In the form of the data; `variables` is `{}` unless given, as on a new subscription, card and payout. */
export const newPaymentParameters = new_payment.map(([name, type, { required = false, ...more } = {}]) => ({
  ...{ name, in: "formData" as const, required, type, ...more },
  ...(name === "variables" ? { default: {} } : {}),
}));

const transaction = "text_on_statement branding_id link acquirer facilitator retented_at";
const delivered = "shipping_address invoice_address shipping deadline_at reseller_id";
const operation = `qp_status_code qp_status_msg cp_status_code cp_status_msg aq_status_code aq_status_msg callback_url
  callback_success callback_response_code callback_duration acquirer callback_at`;
const link = `payment_methods branding_id google_analytics_client_id google_analytics_tracking_id acquirer`;
const account_address = "name att street city zip_code region country_code vat_no";

/** What objects.md says may be null, object by object, with its section. */
const nullable: Readonly<Record<string, string>> = {
  Payment: `${transaction} ${delivered} fee`, // 1
  Subscription: `${transaction} ${delivered}`, // 6
  Payout: transaction, // 8
  Card: "acquirer link", // 7
  Operation: `${operation} amount 3d_secure_status`, // 2
  CardOperation: operation,
  Metadata: `type origin brand bin corporate last4 exp_month exp_year country is_3d_secure 3d_secure_type issued_to hash
    number customer_ip customer_country fraud_report_description fraud_reported_at nin_number nin_country_code nin_gender
    shopsystem_name shopsystem_version ch_mid`, // 3
  PaymentLink: `${link} continue_url cancel_url callback_url auto_fee auto_capture auto_capture_at deadline
    invoice_address_selection shipping_address_selection fee_vat customer_email`, // 4
  CardLink: `${link} continueurl cancelurl callbackurl`,
  OptionalAddress: address_members.join(" "), // 5
  Shipping: "method company amount vat_rate tracking_number tracking_url",
  Address: account_address,
  FraudReport: "description", // 15
  SubscriptionGroup: "description",
  SubscriptionGroupResult: "message",
  MerchantCryptographyKey: "certificate_expires_at",
  // 9: what is not set is null.
  Merchant: `shop_url callback_url shopsystem default_branding_id default_payment_methods default_text_on_statement
    suspended_at logging_stops_at`,
  MerchantReseller: "support_email default_branding_id default_payment_methods",
  IntegrationSettingsEconomic: "agreement agreement_token",
  Agreement: "api_key description service", // 10
  AgreementAccount: "callback_url",
  AgreementUser: "email",
};

/** May this member of this object be null? Of an acquirer's settings (9 and 11) all but `active`. */
export const mayBeNull = (object: string, member: string): boolean =>
  /^AcquirerSettings./.test(object) ? member !== "active" : (nullable[object] ?? "").split(/\s+/).includes(member);
