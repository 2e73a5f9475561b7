// What acquirers take: formulas, calculating, auto-fee on a payment, and which acquirer is chosen for it.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Answer, startApp, type TestAccount, type TestApp } from "./support/app.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
});
after(() => app.stop());
beforeEach(async () => {
  shop = await app.newAccount();
});

const visa = "1000000000000008";
const visa_dankort = "1000060000000002";
const dankort = "1000020000000006";
// In test mode the CVD is the number of the country that issued the card.
const danish = "208";
const american = "840";

type Formula = { acquirer: string; payment_method: string; formula: string; standard: boolean };

const write = (method: string, formula: unknown): Promise<Answer> =>
  shop.owner("PATCH", `/fees/formulas/${method}`, { body: { formula } });
const schemes = { active: true, identification_code: "123456", business_code: "5331" };
const activate = async (name: string, more: object = {}): Promise<void> => {
  const { status, text } = await shop.owner("PATCH", `/acquirers/${name}`, { body: { ...schemes, ...more } });
  assert.equal(status, 200, text);
};
const errorsOf = ({ status, body }: Answer) => [status, body.errors];

let orders = 0;
async function authorize(more: object, cvd = american, number = visa): Promise<Answer> {
  const made = await shop.call("POST", "/payments", { body: { order_id: `fee-${++orders}`, currency: "DKK" } });
  const card = { number, expiration: "3112", cvd };
  return shop.call("POST", `/payments/${made.body.id}/authorize?synchronized`, {
    body: { amount: 10_000, card, ...more },
  });
}

describe("fee formulas", () => {
  test("are the standard ones at first, of the acquirers that are active", async () => {
    const { status, body } = await shop.call("GET", "/fees/formulas?page_size=100");
    assert.equal(status, 200);
    assert.deepEqual(new Set(body.map(({ acquirer }: Formula) => acquirer)), new Set(["clearhaus"]));
    assert.deepEqual(
      body.find(({ payment_method }: Formula) => payment_method === "visa"),
      { acquirer: "clearhaus", payment_method: "visa", formula: "1.45%", standard: true },
    );
    assert.ok(body.every(({ standard }: Formula) => standard));
    assert.deepEqual((await shop.call("GET", "/fees/formulas/clearhaus")).body, body);
    const one = await shop.call("GET", "/fees/formulas/clearhaus/visa");
    assert.deepEqual(one.body, { acquirer: "clearhaus", payment_method: "visa", formula: "1.45%", standard: true });
  });

  test("come in pages, with links to the next", async () => {
    await activate("nets");
    const whole = (await shop.call("GET", "/fees/formulas?page_size=100")).body;
    assert.equal((await shop.call("GET", "/fees/formulas")).body.length, 20);
    assert.deepEqual((await shop.call("GET", "/fees/formulas?page=2&page_size=7")).body, whole.slice(7, 14));
    const seen: Formula[] = [];
    for (let next: string | undefined = "/fees/formulas?page_size=8"; next !== undefined; ) {
      const page = await shop.call("GET", next);
      seen.push(...page.body);
      next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1]?.slice(app.url.length);
    }
    assert.deepEqual(seen, whole);
  });

  test("are written, read back, listed, and reset to the standard", async () => {
    const written = await write("nets/dankort", "70 + 0.1%");
    const expected = { acquirer: "nets", payment_method: "dankort", formula: "70 + 0.1%", standard: false };
    assert.deepEqual([written.status, written.body], [200, expected]);
    assert.deepEqual((await shop.call("GET", "/fees/formulas/nets/dankort")).body, expected);
    const listed = (await shop.call("GET", "/fees/formulas?page_size=100")).body as Formula[];
    assert.deepEqual(
      listed.filter(({ standard }) => !standard),
      [expected],
    );
    assert.equal((await write("nets/dankort", "80")).body.formula, "80");

    const reset = await shop.owner("DELETE", "/fees/formulas/nets/dankort");
    assert.deepEqual([reset.status, reset.text], [204, ""]);
    assert.equal((await shop.call("GET", "/fees/formulas/nets/dankort")).body.standard, true);
    assert.equal((await shop.owner("DELETE", "/fees/formulas/nets/dankort")).status, 204);
  });

  test("of a country's cards fall back on the method's own, then on the standard one", async () => {
    const read = async () => (await shop.call("GET", "/fees/formulas/clearhaus/mastercard-dk")).body;
    assert.deepEqual(await read(), {
      acquirer: "clearhaus",
      payment_method: "mastercard-dk",
      formula: "1.45%",
      standard: true,
    });
    await write("clearhaus/mastercard", "2%");
    assert.deepEqual([(await read()).formula, (await read()).standard], ["2%", false]);
    await write("clearhaus/mastercard-dk", "0.5%");
    assert.equal((await read()).formula, "0.5%");
    const names = (await shop.call("GET", "/fees/formulas/clearhaus")).body.map(
      ({ payment_method }: Formula) => payment_method,
    );
    assert.ok(names.includes("mastercard-dk") && names.includes("mastercard"));
  });

  test("that nobody can mean are refused, and what was there stays", async () => {
    await write("clearhaus/visa", "2%");
    for (const [formula, why] of [
      ["9**9**9", "is invalid at character 3"],
      ["amount/0", "divides by zero (on an amount of 1)"],
      ["amount - 100", "must not make a negative fee (on an amount of 1)"],
      ["99999999999", "makes a fee that is too large (on an amount of 1)"],
      ["1".repeat(201), "must have length between 1 and 200"],
      ["", "is missing"],
      [{ a: 1 }, "is invalid"],
    ] as const) {
      assert.deepEqual(errorsOf(await write("clearhaus/visa", formula)), [400, { formula: [why] }]);
    }
    assert.equal((await shop.call("GET", "/fees/formulas/clearhaus/visa")).body.formula, "2%");
  });

  test("of an acquirer or method that there is not: 400", async () => {
    const not_valid = ["does not have a valid value"];
    for (const method of ["GET", "PATCH", "DELETE"]) {
      const sent = method === "PATCH" ? { body: { formula: "1%" } } : {};
      const bank = await shop.owner(method, "/fees/formulas/bank/visa", sent);
      assert.deepEqual(errorsOf(bank), [400, { acquirer: not_valid }]);
      const bill = await shop.owner(method, "/fees/formulas/clearhaus/viabill", sent);
      assert.deepEqual(errorsOf(bill), [400, { payment_method: not_valid }]);
    }
    assert.deepEqual(errorsOf(await shop.call("GET", "/fees/formulas/bank")), [400, { acquirer: not_valid }]);
    assert.equal((await shop.call("POST", "/fees/clearhaus/visa-xx", { body: { amount: 1 } })).status, 400);
  });

  test("belong to one account, and everybody can see who changed them", async () => {
    await write("clearhaus/visa", "3%");
    await write("clearhaus/visa", "4%");
    await shop.owner("DELETE", "/fees/formulas/clearhaus/visa");
    const trail = (await shop.owner("GET", "/activity?target_type=FeeFormula&sort_dir=asc")).body;
    const named = { acquirer: "clearhaus", payment_method: "visa" };
    assert.deepEqual(
      trail.map(({ action, changes }: { action: string; changes: object }) => [action, changes]),
      [
        ["create", { acquirer: [null, named.acquirer], payment_method: [null, "visa"], formula: [null, "3%"] }],
        ["update", { formula: ["3%", "4%"] }],
        ["delete", { acquirer: [named.acquirer, null], payment_method: ["visa", null], formula: ["4%", null] }],
      ],
    );
    await write("clearhaus/visa", "5%");
    const other = await app.newAccount();
    assert.equal((await other.call("GET", "/fees/formulas/clearhaus/visa")).body.formula, "1.45%");
    await other.owner("DELETE", "/fees/formulas/clearhaus/visa");
    assert.equal((await shop.call("GET", "/fees/formulas/clearhaus/visa")).body.formula, "5%");
  });

  test("are written once for the same Idempotency-Key; the API User only reads and calculates", async () => {
    const sent = { body: { formula: "3%" }, headers: { "Idempotency-Key": "formula-1" } };
    const first = await shop.owner("PATCH", "/fees/formulas/clearhaus/visa", sent);
    await write("clearhaus/visa", "4%");
    const second = await shop.owner("PATCH", "/fees/formulas/clearhaus/visa", sent);
    assert.deepEqual([second.body, second.headers.get("idempotency-replayed")], [first.body, "true"]);
    assert.equal((await shop.call("GET", "/fees/formulas/clearhaus/visa")).body.formula, "4%");
    assert.equal((await shop.call("PATCH", "/fees/formulas/clearhaus/visa", sent)).status, 403);
    assert.equal((await shop.call("POST", "/fees/clearhaus/visa", { body: { amount: 100 } })).status, 200);
  });
});

describe("calculating a fee", () => {
  test("of a payment method", async () => {
    const { status, body } = await shop.call("POST", "/fees/clearhaus/visa", { body: { amount: 10_000 } });
    const expected = {
      acquirer: "clearhaus",
      payment_method: "visa",
      formula: "1.45%",
      amount: 10_000,
      fee: 145,
      total: 10_145,
    };
    assert.deepEqual([status, body], [200, expected]);
    await write("viabill/viabill", "0.7 + 1.45%");
    const form = await shop.call("POST", "/fees/viabill/viabill", { body: new URLSearchParams({ amount: "10000" }) });
    assert.deepEqual([form.body.fee, form.body.total], [146, 10_146]);
  });

  test("of a card, by the acquirer that would take it", async () => {
    const body = { amount: 10_000, currency: "dkk", card: { number: visa } };
    const { status, body: shown } = await shop.call("POST", "/fees", { body });
    const expected = {
      acquirer: "clearhaus",
      payment_method: "visa",
      formula: "1.45%",
      amount: 10_000,
      fee: 145,
      total: 10_145,
    };
    assert.deepEqual([status, shown], [201, expected]);
    await activate("nets");
    await write("nets/dankort", "50");
    const both = async (brand?: string) =>
      (await shop.call("POST", "/fees", { body: { amount: 10_000, card: { number: visa_dankort, brand } } })).body;
    assert.deepEqual(
      [(await both()).acquirer, (await both()).payment_method, (await both()).fee],
      ["nets", "dankort", 50],
    );
    assert.equal((await both("visa")).payment_method, "visa");
    const named = await shop.call("POST", "/fees", { body: { ...body, acquirer: "clearhaus" } });
    assert.equal(named.body.acquirer, "clearhaus");
  });

  test("uses the formula of the country that issued the card, where there is one", async () => {
    await write("clearhaus/visa-dk", "1");
    const { body } = await shop.call("POST", "/fees", { body: { amount: 10_000, card: { number: visa } } });
    assert.deepEqual([body.payment_method, body.fee], ["visa-dk", 1]);
  });

  test("in krónur makes whole ones", async () => {
    const { body } = await shop.call("POST", "/fees", {
      body: { amount: 10_000, currency: "ISK", card: { number: visa } },
    });
    assert.deepEqual([body.fee, body.total], [100, 10_100]);
  });

  for (const [what, body, errors] of [
    ["no amount", { card: { number: visa } }, { amount: ["is missing"] }],
    ["nothing", { amount: 0, card: { number: visa } }, { amount: ["is invalid"] }],
    ["no card", { amount: 1 }, { "card[number]": ["is missing"] }],
    ["a wrong number", { amount: 1, card: { number: "1000000000000009" } }, { "card[number]": ["is invalid"] }],
    [
      "a brand that it is not",
      { amount: 1, card: { number: dankort, brand: "visa" } },
      { "card[brand]": ["does not have a valid value"] },
    ],
    [
      "a live card",
      { amount: 1, card: { number: "4571736000000075" } },
      { "card[number]": ["no acquirer accepts this card"] },
    ],
    [
      "an acquirer that is not active",
      { amount: 1, card: { number: visa }, acquirer: "nets" },
      { acquirer: ["is invalid"] },
    ],
    [
      "more than can be charged, fee included",
      { amount: 2 ** 31 - 1, card: { number: visa } },
      { amount: ["is invalid"] },
    ],
    [
      "a currency that there is not",
      { amount: 1, currency: "XXY", card: { number: visa } },
      { currency: ["does not have a valid value"] },
    ],
  ] as const) {
    test(`${what} is refused`, async () => {
      assert.deepEqual(errorsOf(await shop.call("POST", "/fees", { body })), [400, errors]);
    });
  }

  test("on an amount that the formula makes nothing of says why", async () => {
    // 100 on nothing, on every ordinary amount more than 0, and less than 0 just below 5.000.000.
    await write("clearhaus/visa", "(amount - 3000000) * (amount - 5000000) / 10000000");
    const { status, body } = await shop.call("POST", "/fees/clearhaus/visa", { body: { amount: 4_000_000 } });
    assert.deepEqual([status, body.errors], [400, { formula: ["must not make a negative fee"] }]);
    const paid = await authorize({ amount: 4_000_000, autofee: true });
    assert.deepEqual(errorsOf(paid), [400, { formula: ["must not make a negative fee"] }]);
  });
});

describe("auto-fee", () => {
  test("adds the fee on a card issued outside the EU: the operation's amount includes it, and capture may take it", async () => {
    const { status, body } = await authorize({ autofee: true, auto_capture: true });
    assert.equal(status, 200);
    assert.equal(body.fee, 145);
    assert.deepEqual(
      body.operations.map(({ type, amount }: { type: string; amount: number }) => [type, amount]),
      [
        ["authorize", 10_145],
        ["capture", 10_145],
      ],
    );
    assert.equal(body.balance, 10_145);
    assert.deepEqual((await shop.call("GET", `/payments/${body.id}`)).body.fee, 145);
    const [, begun] = (await shop.owner("GET", `/activity?target_type=Payment&sort_dir=asc`)).body;
    assert.deepEqual(begun.changes.fee, [null, 145]);
  });

  test("adds nothing on a consumer card issued in the EU", async () => {
    const { body } = await authorize({ autofee: true }, danish);
    assert.deepEqual([body.fee, body.operations[0].amount, body.state], [0, 10_000, "new"]);
  });

  test("is off unless asked for, by the request or by the account", async () => {
    const plain = await authorize({});
    assert.deepEqual([plain.body.fee, plain.body.operations[0].amount], [null, 10_000]);
    await shop.owner("PATCH", "/account", { body: { autofee: true } });
    const by_account = await authorize({});
    assert.deepEqual([by_account.body.fee, by_account.body.operations[0].amount], [145, 10_145]);
    assert.equal((await authorize({ autofee: false })).body.fee, null);
    const made = await shop.call("POST", "/payments", { body: { order_id: "fee-link", currency: "DKK" } });
    await shop.call("PUT", `/payments/${made.body.id}/link`, { body: { amount: 10_000 } });
    assert.equal((await shop.call("GET", `/payments/${made.body.id}`)).body.link.auto_fee, true);
  });

  test("uses the merchant's formula and the issuing country's", async () => {
    await write("clearhaus/visa", "100 + 2%");
    assert.equal((await authorize({ autofee: true })).body.fee, 300);
    await write("clearhaus/visa-us", "7");
    assert.equal((await authorize({ autofee: true })).body.fee, 7);
  });

  test("starts anew with every attempt", async () => {
    const rejected = await authorize({ autofee: true }, american, "1000000000000016");
    assert.deepEqual([rejected.body.state, rejected.body.fee], ["rejected", 145]);
    const card = { number: visa, expiration: "3112", cvd: american };
    const again = await shop.call("POST", `/payments/${rejected.body.id}/authorize?synchronized`, {
      body: { amount: 10_000, card },
    });
    assert.deepEqual([again.body.state, again.body.fee, again.body.operations[1].amount], ["new", null, 10_000]);
  });

  test("never makes more than can be charged", async () => {
    const answer = await authorize({ amount: 2 ** 31 - 1, autofee: true });
    assert.deepEqual(errorsOf(answer), [400, { amount: ["is invalid"] }]);
  });
});

describe("of several acquirers that can", () => {
  test("the one with the lowest fee is chosen, for the amount that is paid", async () => {
    await activate("nets");
    await activate("teller");
    assert.equal((await authorize({})).body.acquirer, "clearhaus", "all the same: the first");
    await write("nets/visa", "1%");
    await write("teller/visa", "50");
    assert.equal((await authorize({ amount: 10_000 })).body.acquirer, "teller");
    assert.equal((await authorize({ amount: 1_000 })).body.acquirer, "nets");
    assert.equal((await authorize({ acquirer: "clearhaus" })).body.acquirer, "clearhaus");
  });

  test("those that take the card's brand come before those that do not", async () => {
    await activate("nets");
    await activate("teller", { americanexpress: true });
    await write("clearhaus/dankort", "0");
    assert.equal((await authorize({}, danish, dankort)).body.acquirer, "nets");
    await write("nets/american-express", "0");
    assert.equal((await authorize({}, danish, "1000030000000005")).body.acquirer, "teller");
  });

  test("the merchant's priority is stronger than the fee, and a request's acquirer stronger than both", async () => {
    await activate("nets");
    await write("clearhaus/visa", "0");
    const priority = { visa: ["teller", "nets", "clearhaus"], mastercard: ["clearhaus"] };
    const set = await shop.owner("POST", "/payment-method-priority", { body: { payment_method_priority: priority } });
    assert.deepEqual([set.status, set.body], [200, { payment_method_priority: priority }]);
    assert.equal((await authorize({})).body.acquirer, "nets", "teller is not active");
    assert.equal((await authorize({ acquirer: "clearhaus" })).body.acquirer, "clearhaus");
    const fee = await shop.call("POST", "/fees", { body: { amount: 100, card: { number: visa } } });
    assert.equal(fee.body.acquirer, "nets");
    const abroad = { "visa-us": ["clearhaus"], visa: ["nets"] };
    await shop.owner("POST", "/payment-method-priority", { body: { payment_method_priority: abroad } });
    assert.equal((await authorize({}, american)).body.acquirer, "clearhaus");
    assert.equal((await authorize({}, danish)).body.acquirer, "nets");
  });
});

describe("payment method priority", () => {
  const read = async () => (await shop.owner("GET", "/payment-method-priority")).body;
  const replace = (body: object | URLSearchParams): Promise<Answer> =>
    shop.owner("POST", "/payment-method-priority", { body });

  test("is empty at first, replaced whole, and taken as a form, as JSON in a form, and emptied", async () => {
    assert.deepEqual(await read(), { payment_method_priority: {} });
    const form = new URLSearchParams([
      ["payment_method_priority[visa][]", "clearhaus"],
      ["payment_method_priority[visa][]", "nets"],
      ["payment_method_priority[viabill]", "viabill"],
    ]);
    const by_form = await replace(form);
    assert.deepEqual(
      [by_form.status, by_form.body.payment_method_priority],
      [200, { visa: ["clearhaus", "nets"], viabill: ["viabill"] }],
    );
    assert.deepEqual(await read(), by_form.body);
    await replace(new URLSearchParams({ payment_method_priority: '{"visa-dk":["nets"]}' }));
    assert.deepEqual(await read(), { payment_method_priority: { "visa-dk": ["nets"] } });
    await replace({ payment_method_priority: {} });
    assert.deepEqual(await read(), { payment_method_priority: {} });
  });

  test("keeps to its account, and the trail tells before and after", async () => {
    await replace({ payment_method_priority: { visa: ["nets"] } });
    await replace({ payment_method_priority: { visa: ["clearhaus", "nets"] } });
    const trail = (await shop.owner("GET", "/activity?target_type=PaymentMethodPriority&sort_dir=asc")).body;
    assert.deepEqual(
      trail.map(({ changes }: { changes: object }) => changes),
      [{ visa: [null, ["nets"]] }, { visa: [["nets"], ["clearhaus", "nets"]] }],
    );
    const other = await app.newAccount();
    assert.deepEqual((await other.owner("GET", "/payment-method-priority")).body, { payment_method_priority: {} });
    assert.equal((await shop.call("GET", "/payment-method-priority")).status, 403);
  });

  const not_valid = ["does not have a valid value"];
  for (const [what, priority, errors] of [
    ["nothing", undefined, { payment_method_priority: ["is missing"] }],
    ["no map", "visa", { payment_method_priority: ["is invalid"] }],
    ["a method that there is not", { cash: ["nets"] }, { payment_method_priority: not_valid }],
    ["an acquirer that there is not", { visa: ["bank"] }, { "payment_method_priority[visa]": not_valid }],
    ["an acquirer without that method", { visa: ["viabill"] }, { "payment_method_priority[visa]": not_valid }],
    ["an acquirer twice", { visa: ["nets", "nets"] }, { "payment_method_priority[visa]": not_valid }],
    ["no acquirer", { visa: [] }, { "payment_method_priority[visa]": not_valid }],
    ["what is no list", { visa: { a: "nets" } }, { "payment_method_priority[visa]": not_valid }],
  ] as const) {
    test(`${what} is refused`, async () => {
      assert.deepEqual(errorsOf(await replace({ payment_method_priority: priority })), [400, errors]);
      assert.deepEqual(await read(), { payment_method_priority: {} });
    });
  }
});
