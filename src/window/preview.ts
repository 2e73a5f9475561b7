// A branding's page with a payment that nobody made, for the manager to show beside its files. No session stands behind it and
// no script runs in it: whatever is pressed leads to the same page.

import { formattedAmount, price } from "../domain/amounts.ts";
import { unlessMissing } from "../domain/refusal.ts";
import { type Preview, previewIn } from "../services/branding-previews.ts";
import type { Services } from "../services/services.ts";
import { sample_model } from "../services/template-sample.ts";
import { brandingFor } from "./branding.ts";
import { type Answer, answerWith, type Page } from "./page.ts";
import { languages } from "./texts.ts";

type Shown = Pick<Page, "name"> & { readonly error?: string };

/** Pages on which it can be cancelled; on the form also another method chosen. */
const open_pages: readonly Preview["page"][] = ["form", "form_error", "selector"];

const pages: Readonly<Record<Preview["page"], Shown>> = {
  form: { name: "form" },
  form_error: { name: "form", error: "declined" },
  selector: { name: "selector" },
  waiting: { name: "waiting" },
  success: { name: "success" },
  cancelled: { name: "cancelled" },
  deadline: { name: "deadline" },
  error: { name: "error", error: "unable_to_complete" },
  "3ds_auth": { name: "form/3ds_auth" },
  "3ds_challenge": { name: "form/3ds_challenge" },
};

const amount = 24_900;

/** Null where the address is none of ours, or over, or the branding is gone. `language`: one that was chosen on the page. */
export async function previewPage(services: Services, token: string, language: string): Promise<Answer | null> {
  const preview = previewIn(services, token);
  if (preview === null) return null;
  const account = await services.directory.account(preview.account_id).catch(unlessMissing);
  if (account === null || account.closed_at !== null) return null;
  const shown_in = Object.hasOwn(languages, language) ? language : preview.language;
  const wanted = { account, ids: [preview.branding_id], config: {}, language: shown_in };
  const branding = await brandingFor(services, wanted);
  if (branding.uploaded === null) return null;
  const { name, error } = pages[preview.page];
  const { shop_name } = account.settings;
  return answerWith(services, {
    ...{ status: 200, name, layout: "layout", branding, session_id: null, leave: null, framed: false },
    title: `Preview: ${shop_name}`,
    preview: { framed_by: new URL(services.addresses.manager_url).origin },
    model: {
      ...sample_model,
      ...leadingTo(`/previews/${token}`),
      ...{ displayname: shop_name, logo_url: null, transaction_type: preview.transaction_type },
      ...{ language: shown_in, text_language: branding.text_language, languages: languageList(token, shown_in) },
      formatted_amount: preview.transaction_type === "card" ? "" : formattedAmount(amount, "DKK", shown_in),
      price: preview.transaction_type === "card" ? "" : price(amount, "DKK", shown_in),
      "show_cancel?": open_pages.includes(preview.page),
      ...(name === "form" ? {} : { alternative_payment_methods: [] }),
      // Shoppers choose where no card is taken: else there is the form, and the others stand below it.
      ...(name === "selector" && { payment_methods: sample_model.alternative_payment_methods }),
      ...{ error, error_message: null, retry: name === "error", method_url: null, resurs_methods: [] },
      ...{ "invalid_dob?": false, "invalid_iban?": false, "invalid_bah?": false, "undo_payment_method?": false },
    },
  });
}

const address_members = [
  ...["form_action", "auth_url", "acs_url", "threed_url", "redirect_url", "payment_url", "noscript_url", "cancel_url"],
  ...["continue_url", "start_over_url", "trustly_url", "autorefresh_to"],
];

/** Every address that the page leads to. */
const leadingTo = (address: string) => ({
  ...Object.fromEntries(address_members.map((name) => [name, address])),
  session_id: address.slice(1),
});

const languageList = (token: string, shown_in: string) =>
  Object.entries(languages).map(([code, name]) => ({
    code,
    name,
    current: code === shown_in,
    href: `/previews/${token}/update-language?language=${code}`,
  }));
