// A merchant's account: opening it, its settings, its private key, the 04-Platform, closing it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually, ordered, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { newMember } from "./support/members.ts";

let app: TestApp;
let account: TestAccount;
before(async () => {
  app = await startApp();
  account = await app.newAccount();
});
after(() => app.stop());

type Agreement = {
  id: number;
  service: string | null;
  owner: boolean;
  locked: boolean;
  user: { name: string; system_user: boolean };
};

describe("a new account", () => {
  test("can take test cards: test transactions are allowed and clearhaus is active with an empty key", async () => {
    const { status, body } = await account.owner("GET", "/account");
    assert.equal(status, 200);
    assert.deepEqual(
      [body.id, body.type, body.shop_name, body.contact_email],
      [account.id, "Merchant", "Kop og Kande", account.email],
    );
    assert.equal(body.allow_test_transactions, true);
    assert.deepEqual([body.acquirer_settings.clearhaus.active, body.acquirer_settings.clearhaus.api_key], [true, ""]);
    assert.equal(Object.keys(body.acquirer_settings).length, 22);
    assert.deepEqual(body.acquirer_settings.viabill, { active: false, api_key: null });
    assert.deepEqual(body.billing_address, {
      name: null,
      att: null,
      street: null,
      city: null,
      zip_code: null,
      region: null,
      country_code: null,
      vat_no: null,
    });
  });

  test("has three agreements: the owner's, the Payment Window's, which is locked, and the API User's", async () => {
    const { body } = await account.owner("GET", "/agreements?sort_dir=asc");
    assert.deepEqual(
      body.map((a: Agreement) => [a.service, a.owner, a.locked, a.user.system_user, a.user.name]),
      [
        [null, true, false, false, "Ida Holm"],
        ["payment_window", false, true, true, "Payment Window"],
        ["api_user", false, false, true, "API User"],
      ],
    );
  });

  test("may be opened with every setting at once, and names itself in Location", async () => {
    const { call } = await app.signUp();
    const form = new URLSearchParams({
      shop_name: "Te og Tid",
      contact_email: "te@shop.example",
      autofee: "1",
      "customer_address[city]": "Odense",
      "acquirer_settings[viabill][active]": "1",
      "acquirer_settings[viabill][api_key]": "very-secret-viabill",
    });
    const made = await call("POST", "/accounts", { body: form });
    assert.equal(made.status, 201);
    assert.equal(made.headers.get("location"), `${app.url}/accounts/${made.body.id}`);
    const { autofee, customer_address, acquirer_settings } = made.body;
    assert.deepEqual([autofee, customer_address.city, customer_address.name], [true, "Odense", null]);
    assert.deepEqual(acquirer_settings.viabill, { active: true, api_key: "very-secret-viabill" });
    assert.equal(acquirer_settings.clearhaus.active, true);
    assert.deepEqual((await call("GET", `/accounts/${made.body.id}`)).body, made.body);
  });

  test("is opened once for the same Idempotency-Key", async () => {
    const { call } = await app.signUp();
    const sent = {
      body: { shop_name: "Once", contact_email: "a@shop.example" },
      headers: { "Idempotency-Key": "open-1" },
    };
    const answers = [await call("POST", "/accounts", sent), await call("POST", "/accounts", sent)];
    assert.deepEqual(answers[1]?.body, answers[0]?.body);
    assert.equal(answers[1]?.headers.get("idempotency-replayed"), "true");
    assert.equal((await call("GET", "/accounts")).body.length, 1);
  });

  test("needs a name and an address to write to", async () => {
    const { call } = await app.signUp();
    const answer = await call("POST", "/accounts", { body: {} });
    assert.deepEqual(
      [answer.status, answer.body.errors],
      [400, { shop_name: ["is missing"], contact_email: ["is missing"] }],
    );
  });

  test("many open accounts at the same time", async () => {
    const { call } = await app.signUp();
    const wanted = { shop_name: "Many", contact_email: "many@shop.example" };
    const [answers] = await Promise.all([
      Promise.all([1, 2, 3, 4, 5, 6].map(() => call("POST", "/accounts", { body: wanted }))),
      Promise.all(
        [1, 2, 3, 4, 5, 6].map((n) => account.owner("POST", "/agreements", { body: { system_user: `Busy ${n}` } })),
      ),
    ]);
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
  });
});

describe("settings", () => {
  const address = {
    name: "Kop og Kande ApS",
    att: "Ida",
    street: "Bredgade 4",
    city: "Odense",
    zip_code: "5000",
    region: "Fyn",
    country_code: "DNK",
    vat_no: "12345678",
  };
  const everything = {
    customer_address: address,
    billing_address: { ...address, att: "Bogholderi" },
    callback_url: "https://shop.example/callback?shop=1",
    integration_settings: { economic: { active: true, agreement: "991", agreement_token: "economic-secret" } },
    autofee: true,
    default_payment_methods: "creditcard, !diners",
    shop_urls: ["https://shop.example", "https://shop.example/dk"],
    contact_email: "drift@shop.example",
    shop_name: "Kop, Kande & Søn",
    shopsystem: "WooCommerce",
    timezone: "-03:30",
    locale: "de",
    logging_stops_at: "2031-01-02T03:04:05Z",
    allow_test_transactions: false,
    default_payment_language: "de",
    default_text_on_statement: "Kop og Kande",
    default_branding_config: { color: "#fff", nested: { deep: true } },
  };

  test("every one of them can be changed, and only what was sent changes", async () => {
    const before = (await account.owner("GET", "/account")).body;
    const pci = Object.fromEntries(Object.keys(before.pci).map((level) => [level, true]));
    const branding = await account.owner("POST", "/brandings", { body: { name: "Shop 2026" } });
    const all = { ...everything, pci, default_branding_id: branding.body.id };
    const changed = await account.owner("PATCH", "/account", { body: all });
    assert.equal(changed.status, 200);
    const { acquirer_settings: _, ...rest } = before;
    const expected = { ...rest, ...all, shop_url: "https://shop.example" };
    const { acquirer_settings: __, ...shown } = changed.body;
    assert.deepEqual(shown, expected);
    assert.deepEqual((await account.owner("GET", "/account")).body, changed.body);

    const one = await account.owner("PATCH", "/account", { body: { customer_address: { city: "Aarhus" } } });
    assert.deepEqual(one.body, { ...changed.body, customer_address: { ...address, city: "Aarhus" } });
  });

  test("null clears in JSON, an empty list empties a list, an empty text in a form changes nothing", async () => {
    await account.owner("PATCH", "/account", {
      body: { callback_url: "https://shop.example/a", shop_urls: ["https://shop.example"] },
    });
    const form = await account.owner("PATCH", "/account", {
      body: new URLSearchParams({ callback_url: "", shop_urls: "" }),
    });
    assert.deepEqual(
      [form.body.callback_url, form.body.shop_urls],
      ["https://shop.example/a", ["https://shop.example"]],
    );
    const cleared = await account.owner("PATCH", "/account", {
      body: { callback_url: null, shop_urls: [], default_branding_id: null, customer_address: { city: null } },
    });
    const { callback_url, shop_urls, shop_url, default_branding_id, customer_address } = cleared.body;
    assert.deepEqual(
      [callback_url, shop_urls, shop_url, default_branding_id, customer_address.city],
      [null, [], null, null, null],
    );
  });

  for (const [field, value, message] of [
    ["callback_url", "javascript:alert(1)", "is invalid"],
    ["shop_urls", ["javascript:alert(1)"], "is invalid"],
    ["contact_email", "nobody", "is invalid"],
    ["timezone", "Europe/Copenhagen", "is invalid"],
    ["timezone", "+15:00", "is invalid"],
    ["locale", "danish", "is invalid"],
    ["default_payment_language", "dansk", "is invalid"],
    ["default_text_on_statement", "twenty-three characters", "must have length between 0 and 22"],
    ["default_text_on_statement", "Kop & Kånde", "is invalid"],
    ["logging_stops_at", "tomorrow", "is invalid"],
    ["autofee", "perhaps", "is invalid"],
    ["default_branding_id", "seven", "is invalid"],
  ] as const) {
    test(`${field} = ${value} is refused`, async () => {
      const { status, body } = await account.owner("PATCH", "/account", { body: { [field]: value } });
      const key = Array.isArray(value) ? `${field}[]` : field;
      assert.deepEqual([status, body.errors], [400, { [key]: [message] }]);
    });
  }

  test("what acquirers keep secret rests sealed, and the trail tells only that it changed", async () => {
    const secrets = {
      clearhaus: { api_key: "SECRET-clearhaus" },
      vipps: {
        active: true,
        client_id: "shown-id",
        client_secret: "SECRET-client",
        access_token_subscription_key: "SECRET-sub",
      },
      mobilepaysubscriptions: { nonce: "SECRET-nonce", code_verifier: "SECRET-verifier", auth_state: "SECRET-state" },
      paypal: { token: "SECRET-token", token_secret: "SECRET-secret" },
      sofort: { ideal_project_password: "SECRET-ideal", ideal_notification_password: "SECRET-note" },
      resurs: { customer_password: "SECRET-resurs" },
      coinify: { ipn_secret: "SECRET-ipn" },
    };
    const integration_settings = { economic: { agreement_token: "SECRET-economic" } };
    const changed = await account.owner("PATCH", "/account", {
      body: { acquirer_settings: secrets, integration_settings },
    });
    assert.equal(changed.status, 200);
    assert.equal(changed.body.acquirer_settings.vipps.client_secret, "SECRET-client");

    const { rows } = await app.services.pool.query("SELECT settings::text AS settings FROM accounts WHERE id = $1", [
      account.id,
    ]);
    assert.match(rows[0].settings, /shown-id/);
    assert.doesNotMatch(rows[0].settings, /SECRET/);
    const trail = await account.owner("GET", "/activity?target_type=Account&page_size=1");
    assert.deepEqual(trail.body[0].changes.acquirer_settings_vipps_client_id, [null, "shown-id"]);
    assert.deepEqual(trail.body[0].changes.acquirer_settings_mobilepaysubscriptions_nonce, ["[hidden]", "[hidden]"]);
    assert.doesNotMatch(JSON.stringify(trail.body), /SECRET/);
    assert.doesNotMatch(app.log.join("\n"), /SECRET/);
  });

  test("what Clearhaus decides cannot be set", async () => {
    const body = { acquirer_settings: { clearhaus: { business_code: "5331", mpi_merchant_id: "1" } } };
    const { clearhaus } = (await account.owner("PATCH", "/account", { body })).body.acquirer_settings;
    assert.deepEqual([clearhaus.business_code, clearhaus.mpi_merchant_id], [null, null]);
  });

  test("parallel changes of different settings all last", async () => {
    const fields = ["shopsystem", "shop_name", "default_payment_methods", "default_text_on_statement"];
    await Promise.all(
      fields.map((name) => account.owner("PATCH", "/account", { body: { [name]: `new ${name}`.slice(0, 22) } })),
    );
    const { body } = await account.owner("GET", "/account");
    assert.deepEqual(
      fields.map((name) => body[name]),
      fields.map((name) => `new ${name}`.slice(0, 22)),
    );
  });
});

describe("the private key", () => {
  test("is 64 hex characters, rotates, and the old one signs beside the new one for 24 hours", async () => {
    const shop = await app.newAccount();
    const old = (await shop.owner("GET", "/account/private-key")).body.private_key;
    assert.match(old, /^[0-9a-f]{64}$/);
    const { status, body } = await shop.owner("PATCH", "/account/private-key");
    assert.equal(status, 200);
    assert.notEqual(body.private_key, old);
    assert.deepEqual((await shop.owner("GET", "/account/private-key")).body, body);
    const { directory, clock } = app.services;
    assert.deepEqual(await directory.privateKeys(shop.id), [body.private_key, old]);
    clock.advance(24 * 3_600_000 - 60_000);
    assert.equal((await directory.privateKeys(shop.id)).length, 2);
    clock.advance(120_000);
    assert.deepEqual(await directory.privateKeys(shop.id), [body.private_key]);
    clock.advance(-24 * 3_600_000 - 60_000);

    const { rows } = await app.services.pool.query("SELECT private_key FROM accounts WHERE id = $1", [shop.id]);
    assert.ok(!rows[0].private_key.includes(body.private_key));
    const trail = await shop.owner("GET", "/activity");
    assert.ok(!trail.text.includes(old) && !trail.text.includes(body.private_key));
  });

  test("the API User may read it and may not rotate it", async () => {
    assert.equal((await account.call("GET", "/account/private-key")).status, 200);
    const refused = await account.call("PATCH", "/account/private-key");
    assert.deepEqual(
      [refused.status, refused.body.message],
      [403, "Not authorized: Not authorized to PATCH /account/private-key"],
    );
  });
});

describe("a user's accounts", () => {
  test("are those she is connected to, with pages and links", async () => {
    const { call } = await app.signUp();
    const ids: number[] = [];
    for (const shop_name of ["One", "Two", "Three"]) {
      ids.push((await call("POST", "/accounts", { body: { shop_name, contact_email: "a@shop.example" } })).body.id);
    }
    const seen: number[] = [];
    let next: string | undefined = "/accounts?page_size=2";
    while (next !== undefined) {
      const page = await call("GET", next);
      assert.ok(page.body.length <= 2);
      seen.push(...page.body.map(({ id }: { id: number }) => id));
      next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1]?.slice(app.url.length);
    }
    assert.deepEqual(seen, ids);
    const other = await call("GET", `/accounts/${account.id}`);
    assert.deepEqual([other.status, other.body.message], [404, `Not found: No Account with id ${account.id}`]);
  });

  test("show no acquirer's secrets to a member who may not read the account", async () => {
    await account.owner("PATCH", "/account", {
      body: { acquirer_settings: { viabill: { api_key: "SECRET-viabill" } } },
    });
    const packer = await newMember(app, account, ["GET /payments"]);
    const manager = await newMember(app, account, ["GET /account"]);
    for (const path of ["/accounts", `/accounts/${account.id}`]) {
      const seen = await packer.alone("GET", path);
      assert.equal(seen.status, 200);
      assert.doesNotMatch(seen.text, /SECRET/);
      assert.match(seen.text, new RegExp(`"id":${account.id}`));
      assert.match((await manager.alone("GET", path)).text, /SECRET-viabill/);
    }
    assert.equal((await packer.call("GET", "/account")).status, 403);
  });
});

describe("closing", () => {
  test("stops every key at once and leaves the books; what is under way still ends", async () => {
    const shop = await app.newAccount();
    assert.equal((await shop.call("DELETE", "/account")).status, 403);
    assert.equal((await shop.owner("DELETE", "/account")).status, 204);
    assert.equal((await shop.call("GET", "/payments")).status, 401);
    assert.equal((await shop.owner("GET", "/account")).status, 403);
    assert.deepEqual((await app.client(shop.email, shop.password)("GET", "/accounts")).body, []);
    assert.equal((await app.client(shop.email, shop.password)("DELETE", "/user")).status, 204);
    // A capture that was begun before must still be settled, and its callback signed.
    assert.equal((await app.services.directory.account(shop.id)).settings.shop_name, "Kop og Kande");
    assert.equal((await app.services.directory.privateKeys(shop.id)).length, 1);
  });

  test("leaves nothing of its keys and open invitations, and tells in the trail who ended what", async () => {
    const shop = await app.newAccount();
    const invited = await shop.owner("POST", "/agreements", { body: { user_email: "late@shop.example" } });
    const other = await app.signUp();
    assert.equal((await shop.owner("DELETE", "/account")).status, 204);
    const { rows } = await app.services.pool.query(
      `SELECT count(*)::int AS all, count(ended_at)::int AS ended, count(key_hash)::int AS hashes,
         count(key_sealed)::int AS keys, count(invitation_hash)::int AS invitations FROM agreements WHERE account_id = $1`,
      [shop.id],
    );
    assert.deepEqual(rows[0], { all: 4, ended: 4, hashes: 0, keys: 0, invitations: 0 });
    const { id, invitation_token: token } = invited.body;
    const late = await other.call("PATCH", `/agreements/${id}`, { body: { accepted: true, token } });
    assert.equal(late.status, 404);
    const trail = await app.services.pool.query(
      "SELECT target_type, count(*)::int AS count FROM activity WHERE account_id = $1 AND action = 'delete' GROUP BY 1 ORDER BY 1",
      [shop.id],
    );
    assert.deepEqual(trail.rows, [
      { target_type: "Account", count: 1 },
      { target_type: "Agreement", count: 4 },
    ]);
  });

  test("happens once, when several owners close it at the same moment", async () => {
    const shop = await app.newAccount();
    const answers = await Promise.all([1, 2, 3, 4].map(() => shop.owner("DELETE", "/account")));
    assert.equal(answers.filter(({ status }) => status === 204).length, 1);
    for (const { status } of answers) assert.ok([204, 403, 404].includes(status), String(status));
  });

  test("does not stop what was begun: its operation is settled and its callback put out", async () => {
    const shop = await app.newAccount();
    const made = await shop.call("POST", "/payments", { body: { order_id: "closing-1", currency: "DKK" } });
    const { id } = made.body;
    // The card answers after a minute.
    const card = { number: "1000000000000099", expiration: "3112", cvd: "208" };
    const headers = { "CoolPay-Callback-Url": "http://127.0.0.1:9/closed" };
    await shop.call("POST", `/payments/${id}/authorize`, { body: { amount: 100, card }, headers });
    assert.equal((await shop.owner("DELETE", "/account")).status, 204);
    await ordered(app, id);
    app.advance(70);
    const settled = await eventually(async () => {
      const { rows } = await app.services.pool.query(
        `SELECT t.state, (SELECT count(*)::int FROM callbacks c WHERE c.bucket = t.bucket AND c.resource_id = t.id) AS told
         FROM transactions t WHERE t.account_id = $1 AND t.id = $2 AND t.state <> 'pending'`,
        [shop.id, id],
      );
      return rows[0];
    }, "the settling of a closed account's payment");
    assert.deepEqual(settled, { state: "new", told: 1 });
  });
});

describe("the 04-Platform", () => {
  const path = "/account/04-platform";

  test("is set up, read, changed and forgotten, and the trail tells without the secret", async () => {
    const shop = await app.newAccount();
    const unset = await shop.owner("GET", path);
    assert.deepEqual(
      [unset.status, unset.body],
      [400, { message: "Validation error: the 04-Platform is not set up", errors: {}, error_code: null }],
    );
    const made = await shop.owner("PUT", path, { body: { phone: "+45 12345678" } });
    assert.equal(made.status, 200);
    assert.equal(made.body.phone, "+45 12345678");
    assert.match(made.body.secret, /^[0-9a-f]{64}$/);
    assert.deepEqual((await shop.owner("GET", path)).body, made.body);
    const moved = await shop.owner("PUT", path, { body: { phone: "+4587654321" } });
    assert.deepEqual(moved.body, { phone: "+4587654321", secret: made.body.secret });
    const given = await shop.owner("PUT", path, { body: { phone: "+4587654321", secret: "SECRET-of-theirs" } });
    assert.deepEqual((await shop.owner("GET", path)).body, given.body);
    assert.equal(given.body.secret, "SECRET-of-theirs");

    const { rows } = await app.services.pool.query("SELECT secret FROM zero4_platforms WHERE account_id = $1", [
      shop.id,
    ]);
    assert.ok(!rows[0].secret.includes("SECRET"));
    for (const _ of [1, 2]) {
      const forgotten = await shop.owner("DELETE", path);
      assert.deepEqual([forgotten.status, forgotten.text], [204, ""]);
    }
    assert.equal((await shop.owner("GET", path)).status, 400);
    const trail = await shop.owner("GET", "/activity?target_type=Account");
    const told = trail.body.filter(({ action }: { action: string }) => action === "04-platform");
    assert.equal(told.length, 4);
    assert.deepEqual(told[0].changes, { phone: ["+4587654321", null], secret: ["[hidden]", "[hidden]"] });
    assert.ok(!trail.text.includes("SECRET") && !trail.text.includes(made.body.secret));
  });

  test("refuses what is no phone number or no secret, and who may not", async () => {
    const shop = await app.newAccount();
    for (const [body, errors] of [
      [{}, { phone: ["is missing"] }],
      [{ phone: "call me" }, { phone: ["is invalid"] }],
      [{ phone: "12" }, { phone: ["is invalid"] }],
      [{ phone: "12345678", secret: "short" }, { secret: ["must have length between 8 and 255"] }],
      [{ phone: "12345678", secret: "with a space" }, { secret: ["is invalid"] }],
    ] as const) {
      const answer = await shop.owner("PUT", path, { body });
      assert.deepEqual([answer.status, answer.body.errors], [400, errors]);
    }
    assert.equal((await shop.owner("GET", path)).status, 400);
    for (const method of ["GET", "PUT", "DELETE"]) assert.equal((await shop.call(method, path)).status, 403);
    await shop.owner("PUT", path, { body: { phone: "12345678" } });
    const other = await app.newAccount();
    assert.equal((await other.owner("GET", path)).status, 400);
  });

  test("is set up once for the same Idempotency-Key, also when its answer was lost", async () => {
    const shop = await app.newAccount();
    const sent = { body: { phone: "12345678" }, headers: { "Idempotency-Key": "zero4-1" } };
    const first = await shop.owner("PUT", path, sent);
    await app.services.pool.query(
      "UPDATE idempotency_keys SET answer = NULL, created_at = created_at - interval '1 minute' WHERE key = 'zero4-1'",
    );
    const again = await shop.owner("PUT", path, sent);
    assert.deepEqual([again.status, again.body], [200, first.body]);
    assert.equal(again.headers.get("idempotency-replayed"), "true");
  });
});
