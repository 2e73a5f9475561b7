// The test cards as the form lists them in test mode: a long list, and the same on every page of a language.

import { niceName } from "../domain/payment-methods.ts";
import { test_cards } from "../domain/test-cards.ts";
import { renderPage } from "../services/liquid.ts";
import { standard_templates, standardTexts } from "./standard.ts";

const groups = [...Map.groupBy(test_cards, ({ brand }) => brand)].map(([brand, cards]) => ({
  brand,
  nice_name: niceName(brand),
  cards: cards.map(({ number, scenario }) => ({
    number: number.replace(/(\d{4})(?=\d)/g, "$1 "),
    plain: number,
    outcome: scenario,
  })),
}));

const known = new Map<string, string>();
// Every language with the few sets of brands that shops offer.
const known_max = 200;

/** The list as HTML, of the cards of these brands. */
export function testCardList(brands: readonly string[], language: string): string {
  const key = `${language} ${brands.join(" ")}`;
  const made = known.get(key);
  if (made !== undefined) return made;
  const is_shown = (brand: string): boolean =>
    brands.includes(brand) || (brand === "visa-dankort" && (brands.includes("dankort") || brands.includes("visa")));
  const html = renderPage({
    name: "form/test_cards",
    templates: standard_templates,
    model: { test_cards: groups.filter(({ brand }) => is_shown(brand)) },
    config: {},
    images: {},
    translations: standardTexts(language),
  });
  if (known.size >= known_max) known.clear();
  known.set(key, html);
  return html;
}
