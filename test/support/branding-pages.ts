// Every page of the standard branding with a payment that nobody made, as the payment window writes them. Run on its own it
// leaves them as files in a folder, to be looked at: node test/support/branding-pages.ts /tmp/pages da

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test_cards } from "../../src/domain/test-cards.ts";
import { renderPage } from "../../src/services/liquid.ts";
import { readPo } from "../../src/services/locale-files.ts";
import type { Page } from "../../src/services/template-page.ts";

export const branding = resolve(import.meta.dirname, "../../src/window/branding");
export const script = resolve(import.meta.dirname, "../../src/window/script/paymentwindow.js");

const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(join(branding, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .sort();

/** Sources by name: `form/card`. */
export const templates: Readonly<Record<string, string>> = Object.fromEntries(
  filesIn("templates", ".liquid").map((name) => [
    name.replace(/\.liquid$/, ""),
    readFileSync(join(branding, "templates", name), "utf8"),
  ]),
);

export const pictures: readonly string[] = filesIn("images", ".svg");

/** The folders of languages that are translated: `da_DK`. */
export const locales = readdirSync(join(branding, "locales")).sort();

export const textsOf = (locale: string): Readonly<Record<string, string>> =>
  readPo(readFileSync(join(branding, "locales", locale, "LC_MESSAGES/branding.po")));

const config = JSON.parse(readFileSync(join(branding, "config.json"), "utf8"));

const sid = `${"c0ffee".repeat(10)}1234`;

const method = (name: string, nice_name: string) => ({
  name,
  nice_name,
  image_path: `/assets/v2/images/brands/${name}.svg`,
  base_image_path: "/assets/v2/images/brands",
});

const cards = [
  method("dankort", "Dankort"),
  method("visa", "Visa"),
  method("mastercard", "Mastercard"),
  method("maestro", "Maestro"),
  method("american-express", "American Express"),
];
const others = [method("mobilepay", "MobilePay"), method("klarna", "Klarna"), method("vmp-epayment", "MobilePay")];

const languages = [
  ["da", "Dansk"],
  ["en", "English"],
  ["de", "Deutsch"],
  ["fo", "Føroyskt"],
  ["pl", "Polski"],
].map(([code, name]) => ({ code, name, current: code === "en", href: `/${sid}/update-language?language=${code}` }));

const tests = [...new Set(test_cards.map(({ brand }) => brand))].map((brand) => ({
  brand,
  nice_name: brand,
  cards: test_cards
    .filter((card) => card.brand === brand)
    .map(({ number, scenario }) => ({
      number: number.replace(/(.{4})(?=.)/g, "$1 "),
      plain: number,
      outcome: scenario,
    })),
}));

const payment = {
  session_id: sid,
  page: "form",
  transaction_type: "payment",
  order_id: "order-1001",
  currency: "DKK",
  formatted_amount: "249,00",
  price: "249,00 kr.",
  displayname: "Kop & Kande",
  language: "en",
  text_language: "en",
  languages,
  form_action: `/${sid}/pay`,
  form_template: "form/card",
  card_payment_methods: cards,
  payment_methods: [method("creditcard", "Card"), ...others],
  alternative_payment_methods: [],
  "show_cancel?": true,
  basket: [],
  problems: [],
  invalid: {},
  entered: {},
};

const basket = [
  { qty: 2, item_name: "Blå kop <b>", price: "158,00 kr." },
  { qty: 1, item_name: "Kande med låg, som kan tåle opvaskemaskine", price: "91,00 kr." },
];

const problems = [
  { field: "cardnumber", problem: "invalid" },
  { field: "expiration", problem: "past" },
  { field: "cvd", problem: "missing" },
];

const form = (more: object) => ({ ...payment, ...more });
const page = (name: string, more: object = {}) => ({ ...payment, page: name, "show_cancel?": false, ...more });
const error = (key: string, more: object = {}) => page("error", { error: key, description: undefined, ...more });
const going = { redirect_url: "/simulator/provider", params: [["token", "1"]] };

const methods = Object.keys(templates).filter(
  (name) =>
    name.startsWith("form/") &&
    !/\/(3ds_auth|3ds_challenge|card|error|fee|problem|person|method_title|test_cards|redirect|unzer|work)$/.test(name),
);

type Sample = { readonly content: string; readonly model: Page["model"]; readonly config?: object };

/** By the name of the file that it becomes. */
export const samples: Readonly<Record<string, Sample>> = {
  card: { content: "form", model: form({}) },
  "card-everything": {
    content: "form",
    model: form({
      basket,
      description: "Two cups & a jug",
      "test_mode?": true,
      calculate_fee: true,
      total_price: "252,75 kr.",
      fee_price: "3,75 kr.",
      "deadline?": true,
      time_left: 605,
      alternative_payment_methods: others,
      "undo_payment_method?": true,
      "brand_choice?": true,
      name_on_card: "Ida Holm",
      entered: { cardnumber: "4571 0000 0000 0001", expiration: "03 / 29", brand: "dankort" },
    }),
    config: {
      enable_card_holder_field: true,
      enable_3d_card_field: true,
      reservation_notice: "Charged on <b>dispatch</b>",
    },
  },
  "card-problems": {
    content: "form",
    model: form({
      error: "check_fields",
      problems,
      invalid: Object.fromEntries(problems.map(({ field, problem }) => [field, problem])),
      entered: { cardnumber: "4571 0000 0000 0002", expiration: "03 / 19" },
    }),
  },
  "card-fee": { content: "form", model: form({ calculate_fee: true, alternative_payment_methods: others }) },
  ...Object.fromEntries(
    [
      "declined",
      "fee_added",
      "too_many_attempts",
      "slow_down",
      "work",
      "three_d_secure_failed",
      "try_again",
      "live_payment_on_test_transaction",
      "test_payment_on_live_transaction",
    ].map((key) => [
      `card-${key}`,
      {
        content: "form",
        model: form({
          error: key,
          wait_s: key === "too_many_attempts" ? 601 : key === "slow_down" ? 20 : undefined,
          work: key === "work" ? { challenge: "ab", bits: 18, id: "1", patience_s: 30 } : undefined,
        }),
      },
    ]),
  ),
  subscription: {
    content: "form",
    model: form({ transaction_type: "subscription", description: "Monthly box" }),
  },
  "save-card": { content: "form", model: form({ transaction_type: "card", price: "", formatted_amount: "" }) },
  payout: { content: "form", model: form({ transaction_type: "payout" }) },
  moto: { content: "form", model: form({ moto: true }), config: { enable_card_holder_field: true } },
  selector: { content: "selector", model: form({ page: "selector" }) },
  "3ds_auth": {
    content: "form",
    model: page("3ds_auth", {
      form_template: "form/3ds_auth",
      method_url: "/simulator/m",
      method_data: "e30",
      auth_url: `/${sid}/3ds-auth`,
    }),
  },
  "3ds_challenge": {
    content: "form",
    model: page("3ds_challenge", {
      form_template: "form/3ds_challenge",
      acs_url: "/simulator/acs",
      creq: "e30",
      "show_cancel?": true,
    }),
  },
  "3d": { content: "3d", model: page("3ds_challenge", { threed_url: "/simulator/acs" }) },
  waiting: {
    content: "waiting",
    model: page("waiting", { selected_payment_method: "mobilepay", "show_cancel?": true }),
  },
  "waiting-swish": { content: "waiting", model: page("waiting", { selected_payment_method: "swish" }) },
  ...Object.fromEntries(
    ["payment", "subscription", "card", "payout"].map((transaction_type) => [
      `success-${transaction_type}`,
      { content: "success", model: page("success", { transaction_type, redirect_url: "https://shop.example/ok" }) },
    ]),
  ),
  "success-framed": {
    content: "success",
    model: page("success", { redirect_url: "https://shop.example/ok", "framed?": true }),
  },
  cancelled: { content: "cancelled", model: page("cancelled", { cancel_url: "https://shop.example/no" }) },
  cancel: { content: "cancel", model: page("cancel") },
  deadline: { content: "deadline", model: page("deadline", { cancel_url: "https://shop.example/no" }) },
  ...Object.fromEntries(
    [
      "already_paid",
      "continue_to_shop",
      "try_again",
      "unable_to_complete",
      "secure_3d_auth_failed",
      "secure_3d_auth_failed_other_options",
      "secure_3d_not_enrolled",
      "payment_link_changed",
      "payment_link_changed_link",
      "session_expired",
      "not_available",
      "no_methods",
    ].map((key) => [
      `error-${key}`,
      {
        content: "error",
        model: error(key, {
          retry: key.startsWith("secure") || key === "try_again",
          start_over_url: "/payments/1",
          continue_url: "https://shop.example/ok",
        }),
      },
    ]),
  ),
  "error-link_unknown": { content: "error", model: { page: "error", error: "link_unknown", languages } },
  "error-form_invalid": {
    content: "error",
    model: { page: "error", error: "form_invalid", description: "amount must be a number", languages },
  },
  ...Object.fromEntries(
    methods.map((name) => [
      name.replace("/", "-"),
      {
        content: "form",
        model: page("redirect", {
          ...going,
          form_template: name,
          "show_cancel?": true,
          alternative_payment_methods: others,
        }),
      },
    ]),
  ),
  ...Object.fromEntries(
    ["swish", "trustly", "unzer_pay_later_invoice", "unzer_pay_later_direct_debit", "resurs", "sofort_ideal"].map(
      (name) => [
        `asks-${name}`,
        {
          content: "form",
          model: page("redirect", {
            form_template: `form/${name}`,
            redirect_url: name === "resurs" ? "/simulator/resurs" : undefined,
            "show_cancel?": true,
            "invalid_iban?": true,
            identity_consent: "I agree that Unzer checks who I am.",
            resurs_methods: [
              { id: "1", description: "Invoice", legal_url: "https://shop.example", legal_description: "Terms" },
            ],
            sofort_ideal_banks: [{ code: "1", name: "Bank" }],
          }),
        },
      ],
    ),
  ),
};

/** The inside of `<body>`. */
export function render(sample: Sample, translations: Page["translations"] = {}, layout = "layout"): string {
  const page = {
    templates: { ...templates, content: templates[sample.content] ?? "" },
    config: { ...config, ...sample.config },
    images: Object.fromEntries(pictures.map((name) => [name, `/images/${name}`])),
    translations,
  };
  const list = (): string => renderPage({ ...page, name: "form/test_cards", model: { test_cards: tests } });
  const parts = sample.model["test_mode?"] === true ? { parts: { test_cards: list() } } : {};
  return renderPage({ ...page, ...parts, name: layout, model: sample.model });
}

export const asDocument = (body: string, { language, layout }: { language: string; layout: string }): string =>
  `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Pay</title><link rel="stylesheet" href="/stylesheets/${layout === "layout" ? "paymentwindow" : "paymentwindow_redirect"}.css"><script src="/paymentwindow.js" defer></script></head><body data-session="${sid}">${body}</body></html>`;

function writeAll(folder: string, language: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ["images", "stylesheets"]) cpSync(join(branding, name), join(folder, name), { recursive: true });
  cpSync(join(branding, "brands"), join(folder, "assets/v2/images/brands"), { recursive: true });
  if (existsSync(script)) cpSync(script, join(folder, "paymentwindow.js"));
  const locale = locales.find((one) => one.startsWith(`${language}_`));
  const translations = locale === undefined ? {} : textsOf(locale);
  for (const [name, sample] of Object.entries(samples))
    for (const layout of ["layout", ...(/^(success|cancelled)|^form-/.test(name) ? ["layout_redirect"] : [])]) {
      const html = asDocument(render(sample, translations, layout), { language, layout });
      // From a file, `/images` is the disk's.
      const local = html.replace(/(src|href)="\/(images|stylesheets|assets|paymentwindow)/g, '$1="$2');
      writeFileSync(join(folder, `${name}${layout === "layout" ? "" : "-redirect"}.html`), local);
    }
  console.log(`${Object.keys(samples).length} pages in ${folder}`);
}

if (import.meta.main) writeAll(process.argv[2] ?? "pages", process.argv[3] ?? "en");
