// Pages that belong to no payment: what was asked for is not there, or the shop's form is wrong. In the standard branding,
// in the language that the browser asks for.

import type { Services } from "../services/services.ts";
import { standardBranding } from "./branding.ts";
import { type Answer, answerWith } from "./page.ts";
import { languageNamed, languages } from "./texts.ts";

/** The first of the browser's languages that we know (RFC 9110, Accept-Language; weights are in order as browsers send them). */
export const languageIn = (accept_language: string | undefined): string => {
  const wanted = (accept_language ?? "").toLowerCase().match(/[a-z]{2,3}/g) ?? [];
  const known = wanted.map(languageNamed);
  return known.find((code) => Object.hasOwn(languages, code)) ?? "en";
};

export type Plain = {
  readonly status: number;
  /** As the template `error` knows it. */
  readonly error: string;
  /** More of it, for whoever has to mend it. */
  readonly description?: string;
  readonly language: string;
  readonly framed?: boolean;
};

export function plainPage(
  services: Services,
  { status, error, description, language, framed = false }: Plain,
): Promise<Answer> {
  const branding = standardBranding(language);
  return answerWith(services, {
    status,
    name: "error",
    layout: "layout",
    branding,
    title: "CoolPay",
    session_id: null,
    leave: null,
    framed,
    model: {
      ...{ error, description: description ?? "", language, text_language: branding.text_language, languages: [] },
      ...{ displayname: "", order_id: "", formatted_amount: "", card_payment_methods: [], payment_methods: [] },
      ...{ alternative_payment_methods: [], "undo_payment_method?": false, "show_cancel?": false, "deadline?": false },
      ...{ retry: false, "test_mode?": false, basket: [], problems: [], invalid: {}, entered: {} },
    },
  });
}
