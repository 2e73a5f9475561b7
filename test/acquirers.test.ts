// What an account has agreed with each acquirer, one at a time, and testing whether the acquirer knows it.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Acquirer } from "../src/acquirers/acquirer.ts";
import { acquirer_settings } from "../src/domain/acquirer-settings.ts";
import { acquirer_names, testable_acquirers } from "../src/domain/acquirers.ts";
import { type Answer, startApp, type TestAccount, type TestApp } from "./support/app.ts";

let app: TestApp;
let shop: TestAccount;
let key_id: number;
before(async () => {
  app = await startApp();
});
after(() => app.stop());
beforeEach(async () => {
  shop = await app.newAccount();
  const key = { type: "ec", short_description: "Swish", curve: "prime256v1" };
  key_id = (await shop.owner("POST", "/cryptography/keys", { body: key })).body.id;
});

const change = (name: string, body: object): Promise<Answer> => shop.owner("PATCH", `/acquirers/${name}`, { body });

// The reference's own words (resources, section 6): what PATCH takes, `!` where it must be given.
const scheme = `active! identification_code! identification_code_int business_code! recurring americanexpress dinersclub
  securepay visa_mpi_merchant_id mastercard_mpi_merchant_id visa_bin mastercard_bin`;
const taken: Readonly<Record<string, string>> = {
  bambora: scheme,
  clearhaus: "active! api_key! recurring payout apple_pay",
  coinify: "active! api_key! api_secret! ipn_secret",
  elavon: scheme,
  handelsbanken: scheme,
  klarna: "active! eid! shared_secret!",
  klarnapayments: "active! uid! password!",
  mobilepay: "active! delivery_limited_to",
  mobilepayonline: "active! merchant_id delivery_limited_to",
  mobilepaysubscriptions: `active! auth_state code_verifier last_token_refresh nonce pending_status provider
    refresh_token`,
  nets: `active! identification_code! identification_code_int business_code! recurring fbg1886 secured_by_nets
    americanexpress dinersclub securepay visa_bin mastercard_bin`,
  paypal: "active! recurring credit_card token token_secret scope",
  paysafecard: "active! username! password! currencies!",
  resurs: "active! customer_id! customer_password!",
  sofort: `active! customer_number! project_id! api_key! gateway ideal ideal_project_id ideal_project_password
    ideal_notification_password`,
  swedbank: scheme,
  swish: "active! merchant_id! cryptography_key_id",
  teller: scheme,
  trustly: "active! ideal! username! password!",
  valitor: scheme,
  viabill: "active! api_key!",
  vipps: `active! client_id! client_secret! serial_number! access_token_subscription_key! ecommerce_subscription_key!
    orgno`,
};

/** A value of each parameter of an acquirer. */
function everything(name: keyof typeof acquirer_settings): Record<string, unknown> {
  const values = { flag: true, text: "shown", secret: "SECRET-value", integer: key_id, texts: ["DKK", "EUR"] };
  return Object.fromEntries(
    Object.entries(acquirer_settings[name]).flatMap(([member, kind]) =>
      kind === "given" ? [] : [[member, values[kind]]],
    ),
  );
}

describe("the settings of all acquirers", () => {
  test("are shown at once, one by one, and with the account, all alike", async () => {
    const { status, body } = await shop.call("GET", "/acquirers");
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body), [...acquirer_names]);
    assert.deepEqual((await shop.call("GET", "/account")).body.acquirer_settings, body);
    for (const name of acquirer_names) {
      const one = await shop.call("GET", `/acquirers/${name}`);
      assert.deepEqual([one.status, one.body], [200, body[name]], name);
      assert.equal(one.body.active, name === "clearhaus");
    }
    assert.equal(body.clearhaus.api_key, "");
  });

  test("of an acquirer that there is not are not found", async () => {
    for (const path of ["/acquirers/bank", "/acquirers/constructor"]) {
      const { status, body } = await shop.owner("GET", path);
      assert.deepEqual([status, body.message], [404, "Not found: no such path"]);
    }
  });
});

describe("changing an acquirer's settings", () => {
  for (const name of acquirer_names) {
    test(`${name}: takes what the reference names, wants what it requires, and keeps it all`, async () => {
      const document = (await app.anonymous("GET", "/openapi.json")).body;
      const schema = document.paths[`/acquirers/${name}`].patch.requestBody.content["application/json"].schema;
      const declared = Object.keys(schema.properties).map((one) => (schema.required.includes(one) ? `${one}!` : one));
      assert.deepEqual(declared.toSorted(), (taken[name] ?? "").split(/\s+/).toSorted());

      const nothing = await change(name, {});
      const required = declared.filter((one) => one.endsWith("!")).map((one) => [one.slice(0, -1), ["is missing"]]);
      assert.deepEqual([nothing.status, nothing.body.errors], [400, Object.fromEntries(required)]);

      const wanted = everything(name);
      const { status, body } = await change(name, wanted);
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(body).toSorted(), Object.keys(acquirer_settings[name]).toSorted());
      for (const [member, value] of Object.entries(wanted)) assert.deepEqual(body[member], value, member);
      assert.deepEqual((await shop.owner("GET", `/acquirers/${name}`)).body, body);
      assert.deepEqual((await shop.owner("GET", "/account")).body.acquirer_settings[name], body);
    });
  }

  test("leaves what was not given, and null clears what may be empty", async () => {
    await change("vipps", everything("vipps"));
    const { orgno: _, active: __, ...required } = everything("vipps");
    const off = await change("vipps", { ...required, active: false });
    assert.deepEqual([off.body.active, off.body.orgno], [false, "shown"]);
    assert.equal((await change("vipps", { ...required, active: false, orgno: null })).body.orgno, null);
    const cleared = await change("vipps", { ...required, active: null });
    assert.deepEqual([cleared.status, cleared.body.errors], [400, { active: ["is missing"] }]);
  });

  test("Clearhaus' key may be empty, in a form too, but must be said; no other's may", async () => {
    await change("clearhaus", { active: true, api_key: "SECRET" });
    const form = (pairs: Record<string, string>) =>
      shop.owner("PATCH", "/acquirers/clearhaus", { body: new URLSearchParams(pairs) });
    assert.deepEqual((await form({ active: "1" })).body.errors, { api_key: ["is missing"] });
    const emptied = await form({ active: "1", api_key: "" });
    assert.deepEqual([emptied.status, emptied.body.api_key], [200, ""]);
    assert.equal((await shop.owner("GET", "/acquirers/clearhaus")).body.api_key, "");
    const bill = await change("viabill", { active: true, api_key: "" });
    assert.deepEqual([bill.status, bill.body.errors], [400, { api_key: ["is missing"] }]);
  });

  test("starts from the reference's defaults, and does not come back to them", async () => {
    const scheme_needs = { active: true, identification_code: "1", business_code: "5331" };
    for (const name of ["teller", "nets"]) assert.equal((await change(name, scheme_needs)).body.securepay, true);
    assert.equal((await change("elavon", scheme_needs)).body.securepay, null);
    await change("teller", { ...scheme_needs, securepay: false });
    assert.equal((await change("teller", scheme_needs)).body.securepay, false);
    const sofort = { active: true, customer_number: 1, project_id: 2, api_key: "k" };
    assert.equal((await change("sofort", sofort)).body.gateway, true);
    assert.equal((await change("mobilepaysubscriptions", { active: true })).body.pending_status, 0);
    const other = await app.newAccount();
    const nets = { identification_code: "1", securepay: null };
    const { body } = await other.owner("PATCH", "/account", {
      body: { acquirer_settings: { teller: { identification_code: "1" }, nets, sofort: { project_id: 2 } } },
    });
    const { acquirer_settings: set } = body;
    assert.deepEqual([set.teller.securepay, set.nets.securepay, set.sofort.gateway], [true, null, true]);
    assert.equal(set.mobilepaysubscriptions.pending_status, null, "nothing was said of it");
  });

  test("what is wrong is told by name, and nothing is stored", async () => {
    const { status, body } = await change("klarna", { active: "perhaps", eid: -1, shared_secret: "x".repeat(10_001) });
    assert.deepEqual(
      [status, body.errors],
      [400, { active: ["is invalid"], eid: ["is invalid"], shared_secret: ["must have length between 0 and 10000"] }],
    );
    assert.deepEqual((await shop.owner("GET", "/acquirers/klarna")).body, {
      active: false,
      eid: null,
      shared_secret: null,
    });
  });

  test("keeps secrets sealed and out of the trail and the log", async () => {
    for (const name of acquirer_names) await change(name, everything(name));
    const { rows } = await app.services.pool.query("SELECT settings::text AS settings FROM accounts WHERE id = $1", [
      shop.id,
    ]);
    assert.doesNotMatch(rows[0].settings, /SECRET/);
    const trail = await shop.owner("GET", "/activity?target_type=Account&page_size=100");
    assert.deepEqual(trail.body.length, 1 + acquirer_names.length);
    assert.deepEqual(trail.body[0].changes.acquirer_settings_vipps_active, [null, true]);
    assert.deepEqual(trail.body[0].changes.acquirer_settings_vipps_client_secret, ["[hidden]", "[hidden]"]);
    assert.doesNotMatch(trail.text, /SECRET/);
    assert.doesNotMatch(app.log.join("\n"), /SECRET/);
  });

  test("happens once for the same Idempotency-Key, on one's own account, and not by the API User", async () => {
    const sent = { body: everything("viabill"), headers: { "Idempotency-Key": "viabill-1" } };
    const first = await shop.owner("PATCH", "/acquirers/viabill", sent);
    await change("viabill", { active: false, api_key: "other" });
    const second = await shop.owner("PATCH", "/acquirers/viabill", sent);
    assert.deepEqual([second.body, second.headers.get("idempotency-replayed")], [first.body, "true"]);
    assert.equal((await shop.owner("GET", "/acquirers/viabill")).body.api_key, "other");
    const other = await app.newAccount();
    assert.equal((await other.owner("GET", "/acquirers/viabill")).body.active, false);
    assert.equal((await shop.call("PATCH", "/acquirers/viabill", sent)).status, 403);
  });

  test("parallel changes of different acquirers all last", async () => {
    const names = ["viabill", "resurs", "klarna", "swish"] as const;
    await Promise.all(names.map((name) => change(name, everything(name))));
    const { body } = await shop.owner("GET", "/acquirers");
    for (const name of names) assert.equal(body[name].active, true, name);
  });
});

describe("testing an acquirer", () => {
  const ask = (name: string): Promise<Answer> => shop.owner("POST", `/acquirers/${name}/test`);

  test("without a connection fails and says why, for each that can be tested", async () => {
    for (const name of testable_acquirers) {
      const { status, body } = await ask(name);
      assert.deepEqual([status, body.success], [200, false]);
      assert.deepEqual(Object.keys(body.details), [
        "visa",
        "mastercard",
        "dankort",
        "diners",
        "fbg1886",
        "3d_secure",
        "recurring",
      ]);
      assert.deepEqual(body.details.visa, {
        success: false,
        message: `No connection to ${name} is built in: only test cards can be paid with`,
        currency: null,
      });
    }
  });

  test("that cannot be tested, or is none, is refused", async () => {
    for (const name of ["viabill", "bank", "__proto__"]) {
      const { status, body } = await ask(name);
      assert.deepEqual([status, body.errors], [400, { acquirer: ["does not have a valid value"] }]);
    }
    assert.equal((await shop.call("POST", "/acquirers/clearhaus/test")).status, 403);
  });

  test("with a connection tells what the acquirer says, or that it says nothing", async () => {
    const simulator = app.services.simulator;
    const acquirers = app.services.acquirers as Record<string, Acquirer>;
    const why = async () => (await ask("nets")).body.details.visa.message;
    try {
      acquirers.nets = { ...simulator, name: "nets" };
      assert.equal(await why(), "nets is not active");
      await shop.owner("PATCH", "/account", { body: { acquirer_settings: { nets: { active: true } } } });
      assert.equal(await why(), "Not set: identification_code, business_code");
      await change("nets", { active: true, identification_code: "1", business_code: "5331" });
      assert.equal(await why(), "nets cannot be asked");
      const said = { success: true, message: "Approved", currency: "DKK" };
      acquirers.nets = {
        ...simulator,
        test: async ({ identification_code }) => ({
          visa: said,
          dankort: { ...said, success: identification_code === "2" },
        }),
      };
      assert.deepEqual((await ask("nets")).body, {
        success: false,
        details: { visa: said, dankort: { ...said, success: false } },
      });
      await change("nets", { active: true, identification_code: "2", business_code: "5331" });
      assert.equal((await ask("nets")).body.success, true);
      acquirers.nets = { ...simulator, test: () => Promise.reject(new Error("down")) };
      assert.equal(await why(), "nets did not answer");
    } finally {
      delete acquirers.nets;
    }
  });
});
