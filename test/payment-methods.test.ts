// Which methods a shopper may pay with: what merchants write, what their acquirers offer, and what comes of both.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { acquirer_names } from "../src/domain/acquirers.ts";
import { brands } from "../src/domain/card.ts";
import { methodsOf, offeredBy } from "../src/domain/fees.ts";
import {
  brandsAllowed,
  cardAllowed,
  cardBrandsShown,
  niceName,
  otherMethods,
  parsePaymentMethods,
  suits,
} from "../src/domain/payment-methods.ts";

const every_brand = methodsOf("nets");
const every_other = acquirer_names.flatMap((acquirer) => methodsOf(acquirer)).filter((name) => !brands.has(name));
const offered = new Set(every_brand);

/** `visa`, `visa SWE`; a card of which no country is named is of none that is known. */
function allowed(methods: string | null, card: string): string {
  const [brand = "", country = null] = card.split(" ");
  return cardAllowed(parsePaymentMethods(methods), offered, { brand, country }) ?? "no";
}
const shown = (methods: string | null, at: ReadonlySet<string> = offered): string =>
  cardBrandsShown(parsePaymentMethods(methods), at).join(" ");
const others = (methods: string | null, at: readonly string[] = every_other): string =>
  otherMethods(parsePaymentMethods(methods), new Set(at)).join(" ");

const table = (text: string): string[][] =>
  text
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));

describe("a card", () => {
  for (const [methods = "", card = "", expected] of table(`
    | visa | plain
    | visa-electron | plain
    | dankort | plain
    | american-express | plain
    | maestro | three_d_secure
    | visa-dankort | no
    | unionpay | no
    visa | visa | plain
    visa | visa-electron | no
    visa | mastercard | no
    visa-electron | visa-electron | plain
    mastercard | mastercard-debet | no
    3d-visa | visa | three_d_secure
    3d-visa, visa | visa | plain
    visa, 3d-visa | visa | plain
    creditcard | visa | plain
    creditcard | fbg1886 | plain
    creditcard | maestro | no
    creditcard, 3d-maestro | maestro | three_d_secure
    creditcard, maestro | maestro | no
    maestro | maestro | no
    3d-maestro | maestro | three_d_secure
    3d-creditcard | visa | three_d_secure
    3d-creditcard | dankort | three_d_secure
    3d-creditcard | jcb | three_d_secure
    3d-creditcard | maestro | three_d_secure
    3d-creditcard | american-express | no
    3d-creditcard | diners | no
    3d-american-express | american-express | no
    3d-creditcard, american-express | american-express | plain
    creditcard, !jcb | jcb | no
    !jcb, creditcard | jcb | no
    creditcard, !jcb | visa | plain
    creditcard, 3d-creditcard, !jcb | jcb | three_d_secure
    !visa | mastercard | plain
    !visa | visa | three_d_secure
    !3d-visa | visa | plain
    !visa, !3d-visa | visa | no
    !visa, !3d-visa | visa-electron | plain
    !visa, !3d-visa, !visa-electron, !3d-visa-electron | visa-electron | no
    !creditcard | visa | three_d_secure
    !creditcard | maestro | three_d_secure
    !creditcard | diners | no
    !3d-creditcard | maestro | no
    !3d-creditcard | visa | plain
    !creditcard, !3d-creditcard | visa | no
    visa, !visa | visa | no
    creditcard, !creditcard | visa | no
    mobilepay | visa | no
    !mobilepay | visa | plain
    cash | visa | no
    cash, visa | visa | plain
    !cash | visa | plain
    visa-xx | visa | no
    visa-dnk | visa DNK | no
    visamastercard | visa | no
    visa mastercard | visa | no
    3d-3d-visa | visa | no
    !!visa | visa | plain
    ! | visa | plain
    3d- | visa | no
    - | visa | no
    toString, __proto__ | toString | no
    , ,, | visa | plain
    ,visa,, | visa | plain
    VISA, !Jcb | visa | plain
    3D-Visa | visa | three_d_secure
    ! 3d-visa ,visa | visa | plain
    visa-dk | visa DNK | plain
    visa-DK | visa DNK | plain
    visa-dk | visa SWE | no
    visa-dk | visa | no
    visa-dk, visa-se | visa SWE | plain
    visa-dk, 3d-visa | visa DNK | plain
    visa-dk, 3d-visa | visa SWE | three_d_secure
    visa-dk, 3d-visa | visa | three_d_secure
    3d-mastercard-dk | mastercard DNK | three_d_secure
    3d-mastercard-dk | mastercard SWE | no
    3d-maestro-dk | maestro DNK | three_d_secure
    creditcard-dk | jcb DNK | plain
    creditcard-dk | jcb SWE | no
    3d-creditcard-dk | maestro DNK | three_d_secure
    creditcard, !creditcard-us | visa USA | no
    creditcard, !creditcard-us | visa DNK | plain
    creditcard, !creditcard-us | visa | plain
    !visa-us | visa USA | three_d_secure
    !visa-us, !3d-visa-us | visa USA | no
    dankort-dk | dankort DNK | no
    creditcard, !dankort-dk | dankort DNK | plain
    american-express-us | american-express USA | plain
    fbg1886-dk | fbg1886 DNK | no`)) {
    test(`${card} where "${methods}" is wanted: ${expected}`, () => assert.equal(allowed(methods, card), expected));
  }

  test("of any brand is taken where nothing was said", () => {
    for (const brand of every_brand) assert.equal(allowed(null, brand), allowed("", brand));
    assert.equal(allowed(null, "visa"), "plain");
  });

  test("of a brand that no acquirer offers is not, whatever is wanted", () => {
    const wanted = parsePaymentMethods("creditcard, 3d-creditcard, dankort, 3d-dankort");
    assert.equal(cardAllowed(wanted, new Set(["visa"]), { brand: "dankort", country: null }), null);
  });

  for (const [methods = "", at = "", brand = "", expected] of table(`
    | visa dankort | visa-dankort | visa dankort
    | visa | visa-dankort | visa
    | mastercard | visa-dankort |
    dankort | visa dankort | visa-dankort | dankort
    3d-visa | visa dankort | visa-dankort | visa
    creditcard, !dankort | visa dankort | visa-dankort | visa
    mastercard | visa dankort | visa-dankort |
    | visa visa-electron | visa | visa
    | visa visa-electron | visa-electron | visa-electron
    visa-electron | visa visa-electron | visa |`)) {
    test(`${brand} may be used as [${expected}] where "${methods}" is wanted and ${at} offered`, () => {
      const got = brandsAllowed(parsePaymentMethods(methods), new Set(at.split(" ")), { brand, country: "DNK" });
      assert.equal(got.join(" "), expected);
    });
  }
});

describe("what is shown", () => {
  for (const [methods = "", logos] of table(`
    | dankort visa visa-electron mastercard mastercard-debet maestro american-express diners jcb fbg1886
    creditcard | dankort visa visa-electron mastercard mastercard-debet american-express diners jcb fbg1886
    3d-creditcard | dankort visa visa-electron mastercard mastercard-debet maestro jcb
    mastercard, 3d-visa | visa mastercard
    visa-dk | visa
    creditcard-dk, !visa | dankort visa-electron mastercard mastercard-debet american-express diners jcb fbg1886
    visa, !visa-dk | visa
    visa-dk, !visa-dk | 
    visa-dk, visa-se, !visa-dk | visa
    mobilepay |
    cash |`)) {
    test(`where "${methods}" is wanted: ${logos || "no brand"}`, () => assert.equal(shown(methods), logos));
  }

  test("is only what acquirers offer", () => {
    assert.equal(shown("creditcard", new Set(["jcb", "visa"])), "visa jcb");
    assert.equal(others(null, ["viabill", "mobilepay", "visa"]), "mobilepay viabill");
  });

  for (const [methods = "", expected] of table(`
    | mobilepay mobilepay-subscriptions vipps swish paypal klarna-payments klarna viabill resurs trustly sofort ideal paysafecard bitcoin
    creditcard |
    creditcard, mobilepay | mobilepay
    paypal, mobilepay | mobilepay paypal
    klarna | klarna
    3d-mobilepay |
    mobilepay-dk |
    danske-dk, nordea-dk, paii, edankort |
    mobilepay, !mobilepay |
    !creditcard, !mobilepay, !mobilepay-subscriptions, !klarna, !resurs | vipps swish paypal klarna-payments viabill trustly sofort ideal paysafecard bitcoin`)) {
    test(`of other methods where "${methods}" is wanted: ${expected || "none"}`, () =>
      assert.equal(others(methods), expected));
  }

  test("names every method as shoppers know it", () => {
    const unnamed = [...every_brand, ...every_other].filter((method) => niceName(method) === method);
    assert.deepEqual(unnamed, ["paysafecard"]);
    for (const [method, name] of [
      ["american-express", "American Express"],
      ["visa-dankort", "Visa/Dankort"],
      ["visa", "Visa"],
      ["fbg1886", "Forbrugsforeningen"],
      ["mobilepay", "MobilePay"],
      ["ideal", "iDEAL"],
      ["creditcard", "Card"],
      ["cash", "cash"],
      ["toString", "toString"],
    ] as const) {
      assert.equal(niceName(method), name);
    }
  });

  test("of other methods suits what is paid", () => {
    const suiting = (type: Parameters<typeof suits>[1]) => every_other.filter((method) => suits(method, type));
    assert.ok(suiting("Payment").includes("mobilepay") && !suiting("Payment").includes("mobilepay-subscriptions"));
    assert.deepEqual(new Set(suiting("Subscription")), new Set(["mobilepay-subscriptions", "paypal"]));
    assert.deepEqual([...suiting("Card"), ...suiting("Payout")], []);
  });
});

describe("what acquirers offer", () => {
  const active = (names: string, more: object = {}) =>
    Object.fromEntries(names.split(" ").map((name) => [name, { active: true, ...more }]));
  const cards = (settings: Record<string, Record<string, unknown>>, test = false) =>
    [...offeredBy(settings, { test }).cards].sort().join(" ");
  const every_card = [...every_brand].sort().join(" ");

  test("a new account takes test cards of every brand, and live ones of what Clearhaus takes", () => {
    const settings = { clearhaus: { active: true, api_key: null } };
    assert.equal(cards(settings, true), every_card);
    assert.equal(cards(settings), "maestro mastercard mastercard-debet visa visa-electron");
  });

  test("Dankort comes with Nets, and some brands with an agreement on them", () => {
    assert.ok(!cards(active("nets")).includes("american-express") && cards(active("nets")).includes("dankort"));
    assert.equal(cards(active("nets", { americanexpress: true, dinersclub: true, fbg1886: true })), every_card);
    assert.equal(cards({ nets: { active: false }, teller: {} }), "");
  });

  test("test cards need an acquirer of cards too", () => {
    assert.equal(cards({}, true), "");
    assert.equal(cards(active("viabill mobilepayonline"), true), "");
  });

  test("other methods come with the acquirer that does them, the newer of two", () => {
    const offers = (settings: Record<string, Record<string, unknown>>) =>
      Object.fromEntries(offeredBy(settings, { test: false }).others);
    assert.deepEqual(offers(active("clearhaus nets")), {});
    assert.deepEqual(offers(active("clearhaus mobilepay viabill")), { mobilepay: "mobilepay", viabill: "viabill" });
    assert.deepEqual(offers(active("mobilepay mobilepayonline")), { mobilepay: "mobilepayonline" });
    assert.deepEqual(offers(active("sofort trustly")), { sofort: "sofort", trustly: "trustly" });
    assert.deepEqual(offers(active("sofort trustly", { ideal: true })), {
      sofort: "sofort",
      trustly: "trustly",
      ideal: "trustly",
    });
    assert.deepEqual(offers({ viabill: { active: false }, bank: { active: true } }), {});
  });
});

describe("whatever is written", () => {
  const countries = ["DNK", "SWE", "USA", null];
  const method = fc.constantFrom(...every_brand, ...every_other, "creditcard", "cash", "");
  const token = fc
    .tuple(fc.constantFrom("", "!"), fc.constantFrom("", "3d-"), method, fc.constantFrom("", "-dk", "-us", "-xx"))
    .map((parts) => parts.join(""));
  const tokens = fc.array(token, { maxLength: 6 });
  const forms = [null, "three_d_secure", "plain"];

  /** How much is allowed of everything that can be asked: a number each. */
  const answers = (list: readonly string[]): readonly number[] => {
    const wanted = parsePaymentMethods(list.join(","));
    return [
      ...every_brand.flatMap((brand) =>
        countries.map((country) => forms.indexOf(cardAllowed(wanted, offered, { brand, country }))),
      ),
      ...every_other.map((name) => (otherMethods(wanted, new Set([name])).length > 0 ? 1 : 0)),
    ];
  };
  const atMost = (fewer: readonly number[], more: readonly number[]) =>
    fewer.every((value, index) => value <= (more[index] ?? -1));

  test("excluding more never allows more", () => {
    fc.assert(fc.property(tokens, token, (list, more) => atMost(answers([...list, `!${more}`]), answers(list))));
  });

  test("wanting more never allows less, once something is wanted", () => {
    const wants = (list: readonly string[]) => list.some((name) => name !== "" && !name.startsWith("!"));
    fc.assert(
      fc.property(tokens, token, (list, more) => {
        fc.pre(wants(list) && !more.startsWith("!"));
        assert.ok(atMost(answers(list), answers([...list, more])));
      }),
    );
  });

  test("order, blanks, case, repetitions and empty places do not matter", () => {
    const blank = fc.constantFrom("", " ", "  ", "\t", "\u00a0");
    const shuffled = tokens.chain((list) =>
      fc.record({
        list: fc.constant(list),
        other: fc.shuffledSubarray([...list, ...list], { minLength: 2 * list.length }),
        blanks: blank,
      }),
    );
    fc.assert(
      fc.property(shuffled, ({ list, other, blanks }) => {
        const spelled = other.map((name) => `${blanks}${name.toUpperCase().split("").join(blanks)}${blanks}`);
        assert.deepEqual(answers(["", ...spelled, ""]), answers(list));
      }),
    );
  });

  test("a brand is shown exactly where a card of some country may be used", () => {
    fc.assert(
      fc.property(tokens, (list) => {
        const wanted = parsePaymentMethods(list.join(","));
        const usable = every_brand.filter((brand) =>
          countries.some((country) => cardAllowed(wanted, offered, { brand, country }) !== null),
        );
        assert.deepEqual(new Set(cardBrandsShown(wanted, offered)), new Set(usable));
      }),
    );
  });

  test("any text at all can be read", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const wanted = parsePaymentMethods(text);
        assert.notEqual(cardAllowed(wanted, offered, { brand: "maestro", country: null }), "plain");
      }),
    );
  });
});
