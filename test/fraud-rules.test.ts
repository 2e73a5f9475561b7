// Rule sets against fraud: what they may say, when they hold, and what a merchant sees of it on a payment.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { audit } from "../src/audit.ts";
import {
  actions,
  type Facts,
  type FilterRule,
  type FraudRuleset,
  factsOf,
  holds,
  judge,
  metric_names,
  operators,
  suspicions,
  triggers,
  wrongWith,
} from "../src/domain/fraud-rules.ts";
import { unknown_metadata } from "../src/domain/metadata.ts";
import { begin, perform } from "../src/services/operate.ts";
import { repair } from "../src/services/repair.ts";
import { system } from "../src/services/services.ts";
import { type Answer, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { newKey, newMember } from "./support/members.ts";
import { any_character } from "./support/texts.ts";

const facts = (more: Partial<Facts> = {}): Facts => ({
  amount: 10_000,
  currency: "DKK",
  card_brand: "visa",
  card_bin: "100000",
  card_country: "DNK",
  card_hash: "abc",
  is_3d_secure: false,
  customer_ip: null,
  ip_country: null,
  invoice_country: "SWE",
  shipping_country: null,
  customer_email: "ida@shop.example",
  attempts: 0,
  test_mode: true,
  fraud_score: 35,
  ...more,
});

const rule = (text: string): FilterRule => {
  const [metric_name, operator, ...value] = text.split(" ");
  return { metric_name, operator, value: value.join(" ") } as FilterRule;
};

describe("a rule", () => {
  const rows: readonly (readonly [string, boolean])[] = [
    ["amount == 10000", true],
    ["amount == 10000.0", true],
    ["amount != 10000", false],
    ["amount < 10000", false],
    ["amount <= 10000", true],
    ["amount > 9999.5", true],
    ["amount >= 10001", false],
    ["amount in 1, 10000", true],
    ["amount not_in 1, 2", true],
    ["currency == dkk", true],
    ["currency in EUR, SEK", false],
    ["card_country not_in DNK, SWE", false],
    ["card_country in dk, se", true],
    ["card_brand == VISA", true],
    ["card_bin in 100000,100001", true],
    ["is_3d_secure == false", true],
    ["is_3d_secure == 0", true],
    ["is_3d_secure != no", false],
    ["customer_email == IDA@shop.example", true],
    ["invoice_country != DNK", true],
    ["fraud_score >= 35", true],
  ];
  for (const [text, expected] of rows) {
    test(`${text} ${expected ? "holds" : "does not hold"} for a Danish Visa card of 100.00 DKK`, () => {
      assert.equal(wrongWith(rule(text)), null);
      assert.equal(holds(rule(text), facts()), expected);
    });
  }

  test("of what is unknown nothing holds, so that nobody is blocked for what we do not know", () => {
    for (const text of ["ip_country != DNK", "ip_country not_in DNK", "ip_country == DNK", "ip_country in DNK"]) {
      assert.equal(holds(rule(text), facts()), false, text);
    }
  });

  for (const [text, field] of [
    ["card_country > DNK", "operator"],
    ["currency <= DKK", "operator"],
    ["test_mode < true", "operator"],
    ["amount == much", "value"],
    ["amount > 1, 2", "value"],
    ["amount > 0x10", "value"],
    ["card_country == Denmark", "value"],
    ["card_country in DNK, XXX", "value"],
    ["card_country in , ,", "value"],
    ["currency == XXXX", "value"],
    ["card_brand == visum", "value"],
    ["card_bin == 1000", "value"],
    ["is_3d_secure == perhaps", "value"],
    ["customer_ip == nowhere", "value"],
    [`amount in ${Array.from({ length: 201 }, (_, i) => i).join()}`, "value"],
  ] as const) {
    test(`${text.slice(0, 40)} means nothing: its ${field} is refused`, () => {
      assert.deepEqual(Object.keys(wrongWith(rule(text)) ?? {}), [`filter_rules[][${field}]`]);
    });
  }

  test("its operators are each other's opposites, for every number", () => {
    const opposites = [
      ["==", "!="],
      ["<", ">="],
      [">", "<="],
      ["in", "not_in"],
    ] as const;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: 0, max: 9_999 }), (amount, value) => {
        for (const [one, other] of opposites) {
          const answers = [one, other].map((operator) =>
            holds({ metric_name: "amount", operator, value: String(value) }, facts({ amount })),
          );
          assert.equal(new Set(answers).size, 2);
        }
        assert.equal(holds(rule(`amount < ${value}`), facts({ amount })), amount < value);
      }),
    );
  });

  test("no text whatever makes it throw, and what is refused holds for nobody", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...metric_names),
        fc.constantFrom(...operators),
        fc.string({ unit: any_character }),
        (metric_name, operator, value) => {
          const one = { metric_name, operator, value };
          const wrong = wrongWith(one);
          const held = holds(one, facts({ ip_country: "DNK", shipping_country: "DNK", customer_ip: "10.0.0.1" }));
          if (wrong?.["filter_rules[][value]"] !== undefined) assert.equal(held, false);
        },
      ),
    );
  });
});

const ruleset = (id: number, action: FraudRuleset["action"], ...rules: string[]): FraudRuleset => ({
  id,
  name: `Set ${id}`,
  action,
  combinator: "and",
  filter_rules: rules.map(rule),
});

describe("rule sets together", () => {
  test("`and` needs all rules, `or` one, and a set without rules never triggers", () => {
    const both = ruleset(1, "flag", "amount > 1", "currency == EUR");
    assert.equal(triggers(both, facts()), false);
    assert.equal(triggers({ ...both, combinator: "or" }, facts()), true);
    assert.equal(triggers(ruleset(1, "flag"), facts()), false);
    assert.equal(triggers({ ...ruleset(1, "flag"), combinator: "or" }, facts()), false);
  });

  test("a block goes before 3-D Secure, the first set of a kind is named, and flags are noted whatever else happens", () => {
    const all = [
      ruleset(1, "nothing", "amount > 1"),
      ruleset(2, "force_3d", "amount > 1"),
      ruleset(3, "flag", "amount > 1"),
      ruleset(4, "block", "amount > 1"),
      ruleset(5, "flag", "amount > 99999"),
    ];
    assert.deepEqual(judge(all, facts()), {
      remarks: [
        'Flagged because FraudFilter rule set "Set 3" (id: 3) triggered.',
        'Blocked because FraudFilter rule set "Set 4" (id: 4) triggered.',
      ],
      ruled_out: { status_code: "40300", status_msg: "Fraud block" },
    });
    assert.deepEqual(judge(all.slice(0, 3), facts()).ruled_out, {
      status_code: "30100",
      status_msg: '3D Secure is required by FraudFilter rule set: "Set 2" (id: 2)',
    });
    assert.equal(judge(all.slice(0, 3), facts({ is_3d_secure: true })).ruled_out, null);
  });

  test("a remark that is there already is not repeated, and nothing suspicious changes nothing", () => {
    const seen = { ...unknown_metadata, fraud_suspected: true, fraud_remarks: ["a"] };
    const verdict = { remarks: ["a", "b"], ruled_out: null };
    assert.deepEqual(suspicions(seen, verdict), { fraud_suspected: true, fraud_remarks: ["a", "b"] });
    assert.deepEqual(suspicions(seen, { remarks: [], ruled_out: null }), {});
  });

  test("the score adds up what is unusual, and stays within 100", () => {
    const card = { ...unknown_metadata, type: "card", country: "DNK", is_3d_secure: false, customer_country: "DE" };
    const attempt = {
      ...{ amount: 1, currency: "DKK", metadata: card, test_mode: true, operations: [] },
      ...{ invoice_address: { country_code: "SWE" }, shipping_address: { country_code: "se" } },
    };
    const score = (more: object): unknown => factsOf({ ...attempt, ...more }).fraud_score;
    assert.equal(score({}), 60);
    assert.equal(score({ metadata: { ...card, is_3d_secure: true } }), 50);
    assert.equal(score({ metadata: unknown_metadata, invoice_address: null }), 10);
    assert.equal(
      score({ shipping_address: { country_code: "nowhere" }, invoice_address: { country_code: "DNK" } }),
      35,
    );
  });
});

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const wanted = {
  name: "Large",
  filter_rules: [{ metric_name: "amount", operator: ">=", value: "50000" }],
  action: "flag",
  combinator: "and",
};

const make = async (account: TestAccount, more: object = {}): Promise<{ id: number }> => {
  const { status, text, body } = await account.owner("POST", "/fraud-rulesets", { body: { ...wanted, ...more } });
  assert.equal(status, 201, text);
  return body;
};

describe("/fraud-rulesets", () => {
  test("a set is made, read, listed, changed and deleted, and the trail tells", async () => {
    const made = await shop.owner("POST", "/fraud-rulesets", { body: wanted });
    const { id } = made.body;
    assert.equal(made.status, 201);
    assert.deepEqual(made.body, { id, merchant_id: shop.id, ...wanted });
    assert.equal(made.headers.get("location"), `${app.url}/fraud-rulesets/${id}`);
    assert.deepEqual((await shop.owner("GET", `/fraud-rulesets/${id}`)).body, made.body);
    assert.deepEqual((await shop.owner("GET", "/fraud-rulesets")).body[0], made.body);

    const changed = await shop.owner("PATCH", `/fraud-rulesets/${id}`, {
      body: { action: "block", name: "Very large" },
    });
    assert.deepEqual(changed.body, { ...made.body, action: "block", name: "Very large" });
    assert.deepEqual((await shop.owner("PATCH", `/fraud-rulesets/${id}`, { body: {} })).body, changed.body);
    const rules = [{ metric_name: "currency", operator: "in", value: "EUR, SEK" }];
    await shop.owner("PATCH", `/fraud-rulesets/${id}`, { body: { filter_rules: rules } });
    const read = await shop.owner("GET", `/fraud-rulesets/${id}`);
    assert.deepEqual(read.body, { ...changed.body, filter_rules: rules });

    assert.equal((await shop.owner("DELETE", `/fraud-rulesets/${id}`)).status, 204);
    const gone = await shop.owner("GET", `/fraud-rulesets/${id}`);
    assert.deepEqual([gone.status, gone.body.message], [404, `Not found: No FraudRuleset with id ${id}`]);
    const trail = (await shop.owner("GET", `/activity?target_type=FraudRuleset&target_id=${id}`)).body;
    assert.deepEqual(
      trail.map(({ action }: { action: string }) => action),
      ["delete", "update", "update", "create"],
    );
    assert.deepEqual(trail[2].changes, { name: ["Large", "Very large"], action: ["flag", "block"] });
    assert.deepEqual(trail[3].changes.filter_rules, [null, ["amount >= 50000"]]);
  });

  test("a form makes the same", async () => {
    const body = new URLSearchParams(
      "name=Form&action=nothing&combinator=or&filter_rules[][metric_name]=amount&filter_rules[][operator]=>" +
        "&filter_rules[][value]=42&filter_rules[][metric_name]=card_country&filter_rules[][operator]=not_in&filter_rules[][value]=DNK, DEU",
    );
    const { status, body: made } = await shop.owner("POST", "/fraud-rulesets", { body });
    assert.equal(status, 201);
    assert.deepEqual(made.filter_rules, [
      { metric_name: "amount", operator: ">", value: "42" },
      { metric_name: "card_country", operator: "not_in", value: "DNK, DEU" },
    ]);
    await shop.owner("DELETE", `/fraud-rulesets/${made.id}`);
  });

  test("the system's sets are listed, can be read, and do not change", async () => {
    const fresh = await app.newAccount();
    const { body } = await fresh.owner("GET", "/fraud-rulesets");
    assert.equal(body.length, 1);
    assert.deepEqual(body[0].filter_rules, [{ metric_name: "fraud_score", operator: ">=", value: "50" }]);
    assert.deepEqual([body[0].merchant_id, body[0].action], [fresh.id, "flag"]);
    const path = `/fraud-rulesets/${body[0].id}`;
    assert.deepEqual((await fresh.owner("GET", path)).body, body[0]);
    for (const answer of [
      await fresh.owner("PATCH", path, { body: { name: "x" } }),
      await fresh.owner("DELETE", path),
    ]) {
      assert.deepEqual(
        [answer.status, answer.body.message],
        [403, "Not authorized: The system's rule sets do not change"],
      );
    }
    assert.equal((await fresh.owner("GET", `/fraud-rulesets/${body[0].id + 500}`)).status, 404);
    assert.equal((await fresh.owner("DELETE", `/fraud-rulesets/${body[0].id + 500}`)).status, 404);
  });

  test("what is missing or wrong is named, and nothing is stored", async () => {
    const fresh = await app.newAccount();
    const rows: readonly (readonly [object, Record<string, string[]>])[] = [
      [
        {},
        {
          name: ["is missing"],
          filter_rules: ["is missing"],
          action: ["is missing"],
          combinator: ["is missing"],
        },
      ],
      [{ ...wanted, action: "deny" }, { action: ["does not have a valid value"] }],
      [{ ...wanted, combinator: "xor" }, { combinator: ["does not have a valid value"] }],
      [{ ...wanted, name: "two\nlines" }, { name: ["is invalid"] }],
      [{ ...wanted, name: "x".repeat(101) }, { name: ["must have length between 0 and 100"] }],
      [
        { ...wanted, filter_rules: [{ metric_name: "moon" }] },
        {
          "filter_rules[][metric_name]": ["does not have a valid value"],
          "filter_rules[][operator]": ["is missing"],
          "filter_rules[][value]": ["is missing"],
        },
      ],
      [
        { ...wanted, filter_rules: [{ metric_name: "amount", operator: "=~", value: "1" }] },
        { "filter_rules[][operator]": ["does not have a valid value"] },
      ],
      [
        { ...wanted, filter_rules: [{ metric_name: "currency", operator: "<", value: "DKK" }] },
        { "filter_rules[][operator]": ["does not have a valid value"] },
      ],
      [
        { ...wanted, filter_rules: [{ metric_name: "card_country", operator: "in", value: "Denmark" }] },
        { "filter_rules[][value]": ["is invalid"] },
      ],
      [
        { ...wanted, filter_rules: Array.from({ length: 51 }, () => wanted.filter_rules[0]) },
        { filter_rules: ["must have at most 50 elements"] },
      ],
    ];
    for (const [body, errors] of rows) {
      const answer = await fresh.owner("POST", "/fraud-rulesets", { body });
      assert.deepEqual([answer.status, answer.body.errors], [400, errors]);
    }
    const { id } = await make(fresh);
    for (const [body] of rows.slice(1)) {
      assert.equal((await fresh.owner("PATCH", `/fraud-rulesets/${id}`, { body })).status, 400);
    }
    assert.equal((await fresh.owner("GET", "/fraud-rulesets")).body.length, 2);
  });

  test("an account has at most 90, also when many are made at once", async () => {
    const fresh = await app.newAccount();
    const answers = await Promise.all(
      Array.from({ length: 93 }, () => fresh.owner("POST", "/fraud-rulesets", { body: wanted })),
    );
    const refused = answers.filter(({ status }) => status !== 201);
    assert.equal(refused.length, 3);
    for (const { status, body } of refused) {
      assert.deepEqual([status, body.message], [400, "Validation error: an account has at most 90 fraud rule sets"]);
    }
    assert.equal((await fresh.owner("GET", "/fraud-rulesets")).body.length, 91);
    const page = await fresh.owner("GET", "/fraud-rulesets?page_size=60&sort_dir=desc");
    assert.equal(page.body.length, 60);
    assert.match(page.headers.get("link") ?? "", /rel="next"/);
  });

  test("another account's sets are not there, and the API User may not touch any", async () => {
    const other = await app.newAccount();
    const { id } = await make(shop);
    const path = `/fraud-rulesets/${id}`;
    for (const answer of [
      await other.owner("GET", path),
      await other.owner("PATCH", path, { body: { name: "x" } }),
      await other.owner("DELETE", path),
    ]) {
      assert.deepEqual([answer.status, answer.body.message], [404, `Not found: No FraudRuleset with id ${id}`]);
    }
    assert.equal((await shop.call("GET", "/fraud-rulesets")).status, 403);
    const reader = await newMember(app, shop, ["GET /fraud-rulesets"]);
    assert.equal((await reader.call("GET", "/fraud-rulesets")).status, 200);
    assert.equal((await reader.call("POST", "/fraud-rulesets", { body: wanted })).status, 403);
    assert.equal((await shop.owner("GET", "/fraud-rulesets/0")).status, 404);
    assert.equal((await shop.owner("DELETE", path)).status, 204);
  });

  test("the same Idempotency-Key makes it once, also when the answer was lost", async () => {
    const fresh = await app.newAccount();
    const sent = { body: wanted, headers: { "Idempotency-Key": "rules-1" } };
    const first = await fresh.owner("POST", "/fraud-rulesets", sent);
    const { rowCount } = await app.services.pool.query(
      "UPDATE idempotency_keys SET answer = NULL, created_at = created_at - interval '1 minute' WHERE key = 'rules-1'",
    );
    assert.equal(rowCount, 1);
    const second = await fresh.owner("POST", "/fraud-rulesets", sent);
    assert.deepEqual([second.status, second.body], [201, first.body]);
    assert.equal(second.headers.get("idempotency-replayed"), "true");
    assert.equal((await fresh.owner("GET", "/fraud-rulesets")).body.length, 2);
    const path = `/fraud-rulesets/${first.body.id}`;
    const gone = { headers: { "Idempotency-Key": "rules-2" } };
    assert.deepEqual(
      [(await fresh.owner("DELETE", path, gone)).status, (await fresh.owner("DELETE", path, gone)).status],
      [204, 204],
    );
  });
});

let orders = 0;
const visa = { number: "1000000000000008", expiration: "3112", cvd: "208" };

type Paying = { readonly amount?: number; readonly card?: object; readonly more?: object; readonly order?: object };

async function pay(account: TestAccount, { amount = 60_000, card = visa, more = {}, order = {} }: Paying = {}) {
  const order_id = `fraud-${++orders}`;
  const made = await account.call("POST", "/payments", { body: { order_id, currency: "DKK", ...order } });
  assert.equal(made.status, 201, made.text);
  return authorize(account, made.body.id, { amount, card, ...more });
}

async function authorize(account: TestAccount, id: number, body: object): Promise<Answer> {
  const answer = await account.call("POST", `/payments/${id}/authorize?synchronized`, { body });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

/** How many of a payment's operations the acquirer has heard of. */
const booked = async ({ id, merchant_id }: { id: number; merchant_id: number }): Promise<number> => {
  const { rows } = await app.services.pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM operations o JOIN simulator.book b ON b.reference = o.reference
     WHERE o.account_id = $1 AND o.transaction_id = $2`,
    [merchant_id, id],
  );
  return rows[0]?.count ?? -1;
};

describe("on authorize", () => {
  let merchant: TestAccount;
  before(async () => {
    merchant = await app.newAccount();
  });

  /** The set holds during the test only. */
  async function during<T>(more: object, work: (id: number) => Promise<T>): Promise<T> {
    const { id } = await make(merchant, more);
    try {
      return await work(id);
    } finally {
      await merchant.owner("DELETE", `/fraud-rulesets/${id}`);
    }
  }

  test("nothing is suspicious where no rule holds, and `nothing` does nothing", async () => {
    await during({ action: "nothing" }, async () => {
      const { body } = await pay(merchant);
      assert.deepEqual([body.state, body.metadata.fraud_suspected, body.metadata.fraud_remarks], ["new", false, []]);
    });
  });

  test("flag marks the payment and says why; the payment goes on and can be found", async () => {
    await during({ name: 'Large "orders"' }, async (id) => {
      const { body } = await pay(merchant);
      assert.equal(body.state, "new");
      assert.equal(body.metadata.fraud_suspected, true);
      assert.deepEqual(body.metadata.fraud_remarks, [
        `Flagged because FraudFilter rule set "Large "orders"" (id: ${id}) triggered.`,
      ]);
      const small = await pay(merchant, { amount: 100 });
      assert.equal(small.body.metadata.fraud_suspected, false);
      const found = await merchant.call("GET", "/payments?fraud_suspected=true");
      assert.deepEqual(
        found.body.map((one: { id: number }) => one.id),
        [body.id],
      );
      for (const path of ["/payments", "/subscriptions", "/cards"]) {
        const opposite = await merchant.call("GET", `${path}?fraud_suspected=0`);
        const errors = { fraud_suspected: ["does not have a valid value"] };
        assert.deepEqual([opposite.status, opposite.body.errors], [400, errors], "there is no opposite");
      }
      assert.deepEqual((await merchant.call("GET", `/payments/${body.id}`)).body.metadata, body.metadata);
    });
  });

  test("force_3d ends a payment without 3-D Secure with 30100, and one with it goes on", async () => {
    await during({ action: "force_3d", name: "Far" }, async (id) => {
      const { body } = await pay(merchant);
      const [operation] = body.operations;
      assert.deepEqual(
        [body.state, body.accepted, operation.qp_status_code, operation.qp_status_msg, operation.aq_status_code],
        ["rejected", false, "30100", `3D Secure is required by FraudFilter rule set: "Far" (id: ${id})`, null],
      );
      assert.equal(operation.aq_status_msg, null);
      assert.equal(await booked(body), 0, "no acquirer was asked");
      const secure = { ...visa, status: "Y", eci: "05", cavv: "AAABBEg0VhI0VniQEjRWAAAAAAA=" };
      const again = await authorize(merchant, body.id, { amount: 60_000, card: secure });
      assert.deepEqual([again.body.state, again.body.operations[1].qp_status_code], ["new", "20000"]);
      const attempted = await pay(merchant, { card: { ...secure, status: "U" } });
      assert.equal(attempted.body.operations[0].qp_status_code, "30100");
    });
  });

  test("block ends it with 40300 and says which rule did; the callback tells too", async () => {
    await during({ action: "block", name: "No" }, async (id) => {
      const headers = { "CoolPay-Callback-Url": "http://127.0.0.1:9/never" };
      const made = await merchant.call("POST", "/payments", { body: { order_id: "fraud-block", currency: "DKK" } });
      const path = `/payments/${made.body.id}`;
      const sent = { body: { amount: 60_000, card: visa, auto_capture: true }, headers };
      const { body } = await merchant.call("POST", `${path}/authorize?synchronized`, sent);
      assert.deepEqual(
        body.operations.map((one: Record<string, unknown>) => [one.type, one.qp_status_code, one.qp_status_msg]),
        [["authorize", "40300", "Fraud block"]],
      );
      assert.deepEqual([body.state, body.accepted, body.balance], ["rejected", false, 0]);
      assert.deepEqual(body.metadata.fraud_remarks, [
        `Blocked because FraudFilter rule set "No" (id: ${id}) triggered.`,
      ]);
      assert.equal(await booked(body), 0, "no acquirer was asked");
      const { rows } = await app.services.pool.query(
        "SELECT body FROM callbacks WHERE account_id = $1 AND resource_id = $2",
        [merchant.id, body.id],
      );
      assert.equal(rows.length, 1);
      assert.equal(JSON.parse(rows[0].body).operations[0].qp_status_code, "40300");
    });
  });

  test("without synchronized the answer is 202, pending first and blocked soon", async () => {
    await during({ action: "block" }, async () => {
      const made = await merchant.call("POST", "/payments", { body: { order_id: "fraud-202", currency: "DKK" } });
      const path = `/payments/${made.body.id}`;
      const answer = await merchant.call("POST", `${path}/authorize`, { body: { amount: 60_000, card: visa } });
      assert.deepEqual([answer.status, answer.body.operations[0].pending], [202, true]);
      let read = await merchant.call("GET", path);
      for (let tries = 0; read.body.operations[0].pending && tries < 200; tries++) {
        await new Promise((done) => setTimeout(done, 25));
        read = await merchant.call("GET", path);
      }
      assert.equal(read.body.operations[0].qp_status_code, "40300");
    });
  });

  test("what was ruled out stays so when the process is lost before it is settled", async () => {
    const made = await merchant.call("POST", "/payments", { body: { order_id: "fraud-lost", currency: "DKK" } });
    const key = { account_id: merchant.id, type: "Payment" as const, id: made.body.id };
    const ruled_out = { status_code: "40300", status_msg: "Fraud block" } as const;
    const wish = { ...key, verb: "authorize" as const, amount: 100, callback_url: null, acquirer: "clearhaus" };
    const fraud = { remarks: ["why"], ruled_out };
    const begun = await begin(app.services, system, { ...wish, test_mode: true, fraud });
    app.services.running.delete(begun.operation.reference);
    assert.equal(await repair(app.services, { ...key, operation_id: 1 }), true);
    await perform(app.services, begun, null);
    const { body } = await merchant.call("GET", `/payments/${key.id}`);
    assert.deepEqual([body.state, body.operations[0].qp_status_code], ["rejected", "40300"]);
    assert.deepEqual(body.metadata.fraud_remarks, ["why"]);
  });

  test("rules see card, address, country and earlier attempts; the system's score flags what adds up", async () => {
    const swede = { card: { ...visa, cvd: "752" } };
    const order = { invoice_address: { country_code: "DNK" }, shipping_address: { country_code: "NOR" } };
    const { body } = await pay(merchant, { ...swede, order });
    assert.equal(body.metadata.country, "SWE");
    assert.match(body.metadata.fraud_remarks[0], /^Flagged because FraudFilter rule set "Fraud score of at least 50"/);
    assert.equal((await pay(merchant, { order })).body.metadata.fraud_suspected, false);

    const rules = [
      { metric_name: "attempts", operator: ">=", value: "1" },
      { metric_name: "card_brand", operator: "==", value: "visa" },
    ];
    await during({ action: "block", filter_rules: rules }, async () => {
      const first = await pay(merchant, { card: { ...visa, number: "1000000000000016" } });
      assert.equal(first.body.operations[0].qp_status_code, "40000");
      const second = await authorize(merchant, first.body.id, { amount: 100, card: visa });
      assert.equal(second.body.operations[1].qp_status_code, "40300");
      const third = await authorize(merchant, first.body.id, {
        amount: 100,
        card: { ...visa, number: "1000010000000007" },
      });
      assert.equal(third.body.operations[2].qp_status_code, "20000");
    });

    const hash = body.metadata.hash;
    await during(
      { action: "block", filter_rules: [{ metric_name: "card_hash", operator: "==", value: hash }] },
      async () => {
        assert.equal((await pay(merchant)).body.operations[0].qp_status_code, "40300");
        assert.equal((await pay(shop)).body.operations[0].qp_status_code, "20000", "another account has its own rules");
      },
    );
    const ip = [{ metric_name: "customer_ip", operator: "in", value: "203.0.113.7, 2001:DB8::1" }];
    await during({ action: "block", filter_rules: ip }, async () => {
      const { body: blocked } = await pay(merchant, { more: { customer_ip: "2001:db8::1" } });
      assert.equal(blocked.operations[0].qp_status_code, "40300");
      assert.equal((await pay(merchant)).body.operations[0].qp_status_code, "20000");
    });
  });

  test("a rule counts from its making and no longer than it is there, for whoever pays", async () => {
    const key = await newKey(app, merchant, ["POST /payments", "POST /payments/:id/authorize"]);
    const paying = { ...merchant, call: key.call };
    assert.equal((await pay(paying)).body.state, "new");
    await during({ action: "block" }, async (id) => {
      assert.equal((await pay(paying)).body.state, "rejected");
      await merchant.owner("PATCH", `/fraud-rulesets/${id}`, { body: { action: "nothing" } });
      assert.equal((await pay(paying)).body.state, "new");
    });
    assert.equal((await pay(paying)).body.state, "new");
    assert.equal(actions.length, 4);
  });
});

test("a rule that one process makes holds in the others within five seconds", async () => {
  const beside = await startApp({ beside: app });
  try {
    const merchant = await app.newAccount();
    const call = beside.client("", merchant.api_key);
    const there = { ...merchant, call };
    assert.equal((await pay(there)).body.state, "new");
    const began = performance.now();
    const { id } = await make(merchant, { action: "block" });
    await eventually(async () => (await pay(there)).body.state === "rejected", "the block");
    assert.ok(performance.now() - began < 8_000);
    await merchant.owner("DELETE", `/fraud-rulesets/${id}`);
    assert.equal((await pay(merchant)).body.state, "new");
  } finally {
    await beside.stop();
  }
});

test("after all this the books balance", async () => {
  assert.deepEqual((await audit(app.database_url)).differences, []);
});
