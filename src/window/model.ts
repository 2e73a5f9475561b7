// What templates are told of a payment: the members that brandings written for the original know (reference:
// branding-templates), and ours (docs/brandings.md). Texts are in the templates; here are only facts.

import { formattedAmount, price } from "../domain/amounts.ts";
import { offeredBy } from "../domain/fees.ts";
import {
  brandsAllowed,
  cardBrandsShown,
  niceName,
  otherMethods,
  parsePaymentMethods,
  suits,
} from "../domain/payment-methods.ts";
import type { Transaction } from "../domain/transaction.ts";
import { isLive } from "../services/acquiring.ts";
import type { Services } from "../services/services.ts";
import { languages } from "./texts.ts";
import { deadlineOf, startOverUrl, type Visit } from "./visit.ts";

export type Problem = { readonly field: Field; readonly problem: ProblemKind };
export type Field = "cardnumber" | "expiration" | "cvd" | "cardholder" | "brand";
export type ProblemKind =
  | "missing"
  | "invalid"
  | "past"
  | "not_accepted"
  | "test_not_allowed"
  | "live_on_test"
  | "test_on_live";

/** What was typed and comes back. Never the CVD. */
export type Entered = {
  readonly cardnumber?: string;
  readonly expiration?: string;
  readonly cardholder?: string;
  readonly brand?: string;
};

// Published forms that ask for a telephone let one of these be chosen.
const dialling_codes = ["31", "41", "43", "44", "45", "46", "47", "49", "358"];

/** Template of each method beside cards. */
const form_templates: Readonly<Record<string, string>> = {
  mobilepay: "mobilepay_online",
  "klarna-payments": "klarnapayments",
  "anyday-split": "anydaysplit",
  ideal: "trustly_ideal",
};

export const formTemplate = (method: string | null): string =>
  method === null ? "form/card" : `form/${form_templates[method] ?? method.replaceAll("-", "_")}`;

const brand_pictures = "/assets/v2/images/brands";

const method = (name: string) => ({
  name,
  nice_name: niceName(name),
  image_path: `${brand_pictures}/${name}.svg`,
  base_image_path: brand_pictures,
  "payment_request_api_method?": false,
});

/** As templates are told of methods. */
export const methodsShown = (names: readonly string[]) => names.map(method);

export type Methods = {
  /** Brands of cards that may be used; empty: no card at all. */
  readonly cards: readonly string[];
  /** Methods of other providers, with the acquirer of each. */
  readonly others: ReadonlyMap<string, string>;
};

/** Nothing real can be paid: no acquirer of the shop has credentials that an adapter could use. */
export const isTest = (services: Services, { account, transaction }: Visit): boolean =>
  transaction.test_mode || !isLive(services, account.settings);

/** What this link may be paid with. */
export function methodsOf(services: Services, visit: Visit): Methods {
  const { account, terms, transaction } = visit;
  const { acquirer_settings, allow_test_transactions } = account.settings;
  const test = isTest(services, visit);
  if (test && !allow_test_transactions) return { cards: [], others: new Map() };
  const wanted = parsePaymentMethods(terms.payment_methods);
  const offered = offeredBy(onlyOf(acquirer_settings, terms.acquirer), { test });
  const others = otherMethods(wanted, offered.others).filter((name) => suits(name, transaction.type));
  return {
    cards: cardBrandsShown(wanted, offered.cards),
    others: new Map(others.map((name) => [name, offered.others.get(name) ?? ""])),
  };
}

type AcquirerSettings = Visit["account"]["settings"]["acquirer_settings"];

/** A link that names its acquirer is paid there or not at all. */
export const onlyOf = (settings: AcquirerSettings, acquirer: string | null): AcquirerSettings =>
  acquirer === null ? settings : { [acquirer]: settings[acquirer] ?? {} };

/** As which of its brands a card may be used: two where the shopper may choose. */
export const brandsOf = (
  { account, terms }: Visit,
  card: { readonly brand: string; readonly country: string | null; readonly test: boolean },
): readonly string[] => {
  const { test } = card;
  const offered = offeredBy(onlyOf(account.settings.acquirer_settings, terms.acquirer), { test });
  return brandsAllowed(parsePaymentMethods(terms.payment_methods), offered.cards, card);
};

/** How often a card was tried: a form says of which moment it is, and is taken once. */
export const cardAttempts = ({ operations }: Transaction): number =>
  operations.filter(({ type }) => type === "authorize" || type === "credit").length;

/** Of a payment's name on the page: `249,00`, `249,00 kr.` */
export function amountsShown({ terms, transaction, session }: Visit, fee: number | null) {
  const { amount } = terms;
  const { currency } = transaction;
  const { language } = session;
  if (amount === null || currency === null) return { formatted_amount: "" };
  return {
    formatted_amount: formattedAmount(amount, currency, language),
    price: price(amount, currency, language),
    ...(fee !== null && {
      fee_price: price(fee, currency, language),
      total_price: price(amount + fee, currency, language),
      formatted_total: formattedAmount(amount + fee, currency, language),
    }),
  };
}

/** What every page of a visit is told. */
export function modelOf(services: Services, visit: Visit, has_logo: boolean) {
  const { session, transaction, account, terms } = visit;
  const { body } = transaction;
  const { language } = session;
  const methods = methodsOf(services, visit);
  const others = methodsShown([...methods.others.keys()]);
  const cards = methodsShown(methods.cards);
  const test_mode = isTest(services, visit);
  const deadline = deadlineOf(transaction);
  const person = body.invoice_address;
  return {
    session_id: session.id,
    transaction_type: transaction.type.toLowerCase(),
    order_id: transaction.order_id ?? "",
    currency: transaction.currency ?? "",
    description: body.description ?? "",
    displayname: account.settings.shop_name,
    logo_url: has_logo ? `/${session.id}/logo` : null,
    language,
    languages: languageList(session.id, language),
    ...amountsShown(visit, session.fee),
    form_action: `/${session.id}/pay`,
    attempt: cardAttempts(transaction),
    form_template: formTemplate(session.method),
    card_payment_methods: cards,
    payment_methods: cards.length > 0 ? [method("creditcard"), ...others] : others,
    alternative_payment_methods: others.filter(({ name }) => name !== session.method),
    "undo_payment_method?": session.method !== null && methods.cards.length > 0,
    "show_cancel?": terms.cancel_url !== null,
    selected_payment_method: session.method ?? "creditcard",
    fee_shown: session.fee ?? 0,
    calculate_fee: terms.auto_fee && transaction.type === "Payment",
    moto: terms.moto,
    name_on_card: person?.name ?? "",
    country_codes: dialling_codes,
    country_codes_in_number: [],
    mobile_number: person?.mobile_number ?? person?.phone_number ?? "",
    first_name: person?.name?.split(" ")[0] ?? "",
    last_name: person?.name?.split(" ").slice(1).join(" ") ?? "",
    invoice_address: { name: person?.name ?? "", email: person?.email ?? terms.customer_email ?? "" },
    "deadline?": deadline !== null && !transaction.accepted,
    time_left: deadline === null ? 0 : secondsUntil(services, deadline),
    expires_at: deadline?.toISOString() ?? null,
    retry: false,
    cancel_url: terms.cancel_url,
    continue_url: terms.continue_url,
    start_over_url: startOverUrl(services, visit),
    "framed?": terms.framed,
    "test_mode?": test_mode,
    basket: basketShown(transaction, language),
    image_path: session.method === null ? null : method(session.method).image_path,
  };
}

const secondsUntil = ({ clock }: Services, at: Date): number =>
  Math.max(0, Math.ceil((at.getTime() - clock.now().getTime()) / 1000));

const languageList = (session_id: string, language: string) =>
  Object.entries(languages).map(([code, name]) => ({
    code,
    name,
    current: code === language,
    href: `/${session_id}/update-language?language=${code}`,
  }));

// What fits above a form; the shop has shown the rest.
const basket_lines_max = 20;

function basketShown({ body, currency }: Transaction, language: string) {
  if (currency === null) return [];
  return body.basket.slice(0, basket_lines_max).map(({ qty, item_name, item_price }) => ({
    qty: Number(qty ?? 1),
    item_name: String(item_name ?? ""),
    price: linePrice(qty, item_price, (amount) => price(amount, currency, language)),
  }));
}

/** Of a line, all pieces of it, so that a reader can add it up; empty where there is none. */
function linePrice(qty: unknown, item_price: unknown, shown: (amount: number) => string): string {
  const amount = Number(qty ?? 1) * Number(item_price ?? Number.NaN);
  return Number.isSafeInteger(amount) && amount >= 0 ? shown(amount) : "";
}
