// A payment from end to end, through HTTP.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startApp, type TestAccount, type TestApp } from "./support/app.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };

test("a payment is created, authorized and captured", async () => {
  const made = await shop.call("POST", "/payments", { body: { order_id: "WEB-10045", currency: "dkk" } });
  assert.equal(made.status, 201, made.text);
  const { id } = made.body;
  const authorized = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
    body: { amount: 1000, card },
  });
  assert.equal(authorized.status, 200, authorized.text);
  assert.equal(authorized.body.state, "new");
  const captured = await shop.call("POST", `/payments/${id}/capture?synchronized`, { body: { amount: 1000 } });
  assert.equal(captured.body.balance, 1000, captured.text);
  console.log(captured.text);
});
