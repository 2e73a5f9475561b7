// A payment that no shop has made, told as the payment window tells one (reference: branding-templates): a template is tried
// on it when it is uploaded. It has something of everything, so that few branches of a template stay untried.

import type { Page } from "./template-page.ts";

const method = (name: string, nice_name: string) => ({
  name,
  nice_name,
  id: name,
  image_path: `/assets/v2/images/brands/${name}.svg`,
  base_image_path: "/assets/v2/images/brands",
  "payment_request_api_method?": false,
  description: nice_name,
  legal_url: "https://shop.example/terms",
  legal_description: "Terms",
});

const cards = [method("dankort", "Dankort"), method("visa", "Visa"), method("mastercard", "Mastercard")];
const others = [method("mobilepay", "MobilePay"), method("apple-pay", "Apple Pay"), method("klarna", "Klarna")];

/** Also what a preview of a branding shows. */
export const sample_model: Page["model"] = {
  session_id: "0".repeat(32),
  transaction_type: "payment",
  order_id: "order-1001",
  currency: "DKK",
  formatted_amount: "249,00",
  description: "Cups & bowls",
  displayname: "Kop og Kande",
  logo_url: "/logo.png",
  language: "da",
  form_action: "/process",
  form_template: "form/card",
  card_payment_methods: cards,
  payment_methods: [...cards, ...others],
  alternative_payment_methods: others,
  "undo_payment_method?": true,
  "show_cancel?": true,
  selected_payment_method: "dankort",
  calculate_fee: true,
  moto: false,
  name_on_card: "Ida Holm",
  mobile_number: "+4520123456",
  first_name: "Ida",
  last_name: "Holm",
  invoice_address: { name: "Ida Holm", email: "ida@shop.example" },
  "deadline?": true,
  time_left: 600,
  error: "try_again",
  error_message: "Declined",
  retry: true,
  redirect_url: "https://acquirer.example/pay",
  params: [
    ["token", "1"],
    ["language", "da"],
  ],
  payment_url: "https://acquirer.example/pay",
  noscript_url: "https://acquirer.example/noscript",
  cancel_url: "/cancel",
  autorefresh_to: "/waiting",
  method_url: "https://acs.example/method",
  method_data: "e30",
  auth_url: "/authenticate",
  acs_url: "https://acs.example/challenge",
  creq: "e30",
  threed_url: "https://acs.example/challenge",
  image_path: "/assets/v2/images/brands/mobilepay.svg",
  upl_session_id: "1",
  trustly_url: "https://acquirer.example/trustly",
  sofort_ideal_banks: [{ id: "1", name: "Bank" }],
  sofort_form_fields: [["bank", "1"]],
  "sofort_has_bank?": true,
  resurs_methods: [method("invoice", "Invoice")],
  identity_consent: "I agree",
  "invalid_dob?": true,
  "invalid_iban?": true,
  "invalid_bah?": true,
  // Ours.
  price: "249,00 kr.",
  text_language: "da",
  languages: [],
  entered: {},
  problems: [],
  invalid: {},
  basket: [{ qty: 2, item_name: "Cup", price: "124,50 kr." }],
  test_cards: [],
  "test_mode?": false,
  "framed?": false,
  continue_url: "https://shop.example/thanks",
  start_over_url: "/payments/1",
};

const config: Page["config"] = {
  enable_3d_card_field: true,
  enable_amount_for_subscription: true,
  enable_card_holder_field: true,
  enable_prefill_name: true,
  reservation_notice: "Your account is charged when the goods are sent",
};

/** The sample shown by one of these templates. Its images are nowhere, its texts English. */
export const samplePage = (name: string, templates: Page["templates"]): Page => ({
  name,
  templates,
  model: sample_model,
  config,
  images: {},
  translations: {},
});
