// The operator's accounts: listed, suspended and resumed. A suspended account reads, refunds and cancels; it does not charge.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { audit } from "../src/audit.ts";
import { unlimited } from "../src/domain/plans.ts";
import { endpointsOf } from "../src/resources/endpoints.ts";
import { eventually, ordered, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { coolpay, end } from "./support/program.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const accounts = (...words: readonly string[]) =>
  end(coolpay(["accounts", ...words], { DATABASE_URL: app.database_url }));

const card = { number: "1000000000000008", expiration: "3912", cvd: "208" };
let orders = 0;

async function payment(more: object | null = {}): Promise<string> {
  const order_id = `hold-${String(++orders).padStart(4, "0")}`;
  const made = await shop.call("POST", "/payments", { body: { order_id, currency: "DKK" } });
  assert.equal(made.status, 201, made.text);
  const path = `/payments/${made.body.id}`;
  if (more === null) return path;
  const paid = await shop.call("POST", `${path}/authorize?synchronized`, { body: { amount: 1000, card, ...more } });
  assert.equal(paid.body.accepted, true, paid.text);
  return path;
}

const state = async (path: string) => (await shop.call("GET", path)).body;

test("what charges is declared so: these endpoints and no others", () => {
  const charging = endpointsOf({ signup: "open", plans: [unlimited], program_version: "1" }).flatMap(
    ({ method, path, charges }) => (charges === true ? [`${method} ${path}`] : []),
  );
  const kinds = ["payments", "subscriptions", "cards", "payouts"];
  assert.deepEqual(
    charging.sort(),
    [
      ...kinds.flatMap((kind) => [`POST /${kind}`, `PUT /${kind}/:id/link`]),
      ...["authorize", "session", "capture", "renew"].map((verb) => `POST /payments/:id/${verb}`),
      ...["authorize", "session", "recurring"].map((verb) => `POST /subscriptions/:id/${verb}`),
      ...["POST /cards/:id/authorize", "POST /cards/:id/tokens"],
      ...["POST /payouts/:id/credit", "POST /subscription-groups/:id/capture"],
    ].sort(),
  );
});

test("an auto-capture of what was under way waits until the account is resumed", async () => {
  const held = await app.newAccount();
  const made = await held.call("POST", "/payments", { body: { order_id: "held-0001", currency: "DKK" } });
  const path = `/payments/${made.body.id}`;
  const slow = { ...card, number: "1000000000000099", expiration: "3912" };
  const begun = await held.call("POST", `${path}/authorize`, { body: { amount: 700, card: slow, auto_capture: true } });
  assert.equal(begun.status, 202, begun.text);
  assert.equal((await accounts("suspend", String(held.id))).code, 0);
  app.services.directory.forget();
  await ordered(app, made.body.id);
  app.advance(120);
  const told = async () => (await held.call("GET", path)).body;
  const authorized = await eventually(async () => {
    const body = await told();
    return body.accepted && body;
  }, "the authorization");
  assert.deepEqual([authorized.state, authorized.balance], ["new", 0]);
  assert.equal((await accounts("resume", String(held.id))).code, 0);
  app.services.directory.forget();
  await eventually(async () => (await told()).operations.length === 2, "the capture's begin");
  await ordered(app, made.body.id);
  app.advance(120);
  await eventually(async () => (await told()).balance === 700, "the capture");
});

test("a suspended account reads, refunds and cancels but does not charge, within 5 s; resumed, it charges again", async () => {
  const captured = await payment({ auto_capture: true });
  const held = await payment();
  const begun = await payment(null);
  const on_date = await payment({ auto_capture_at: "2099-01-01" });

  const { code, stdout, stderr } = await accounts("suspend", String(shop.id));
  assert.deepEqual(
    [code, stdout, stderr],
    [0, `Account ${shop.id} is suspended: it reads, refunds and cancels, but does not charge.\n`, ""],
  );
  const told_at = performance.now();
  const { suspended_at } = await eventually(async () => {
    const { body } = await shop.owner("GET", "/account");
    return body.suspended_at === null ? null : body;
  });
  assert.ok(performance.now() - told_at < 5_000);
  assert.match(suspended_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  const message = "Not authorized: Account is suspended";
  for (const [method, path, body] of [
    ["POST", "/payments", { order_id: "hold-none", currency: "DKK" }],
    ["POST", `${begun}/authorize`, { amount: 1000, card }],
    ["PUT", `${begun}/link`, { amount: 1000 }],
    ["POST", `${held}/capture`, { amount: 1000 }],
    ["POST", "/cards", {}],
  ] as const) {
    const answer = await shop.call(method, path, { body });
    assert.deepEqual([answer.status, answer.body.message], [403, message], `${method} ${path}`);
  }
  const refunded = await shop.call("POST", `${captured}/refund?synchronized`, { body: { amount: 1000 } });
  assert.deepEqual([refunded.status, refunded.body.balance], [200, 0], refunded.text);
  const cancelled = await shop.call("POST", `${held}/cancel?synchronized`);
  assert.deepEqual([cancelled.status, cancelled.body.state], [200, "processed"], cancelled.text);

  app.advance(75 * 366 * 86_400);
  await new Promise((done) => setTimeout(done, 2_200));
  assert.equal((await state(on_date)).state, "new", "its capture waits");

  assert.match((await accounts("suspend", String(shop.id))).stdout, /, as before\.\n$/);
  const resumed = await accounts("resume", String(shop.id));
  assert.deepEqual([resumed.code, resumed.stdout], [0, `Account ${shop.id} charges again.\n`]);
  await eventually(async () => (await state(on_date)).balance === 1000, "the capture that waited");
  await eventually(async () => (await shop.call("POST", "/cards")).status === 201, "a charge");

  const trail = await shop.owner("GET", `/activity?target_type=Account&target_id=${shop.id}`);
  const lines = trail.body.filter(({ action }: { action: string }) => /suspend|resume/.test(action));
  assert.deepEqual(
    lines.map((line: { action: string; extra: object }) => [line.action, line.extra]),
    ["resume", "suspend"].map((action) => [action, { path: "coolpay accounts", user: "Operator" }]),
  );
  assert.deepEqual((await audit(app.database_url)).differences, []);
});

test("the operator lists accounts, a page at a time, whatever merchants call themselves", async () => {
  const other = await app.newAccount();
  await other.owner("PATCH", "/account", { body: { shop_name: "Tea \u001b[31mred" } });
  const listed = await accounts("list");
  assert.deepEqual([listed.code, listed.stderr], [0, ""]);
  const [head = "", ...lines] = listed.stdout.trimEnd().split("\n");
  assert.match(head, /^id +created +suspended +closed +plan +this month +shop$/);
  assert.match(lines[0] ?? "", new RegExp(`^${shop.id} +20\\d\\d-\\d\\d-\\d\\d +- +- +- +\\d+ +Kop og Kande$`));
  assert.match(lines.find((line) => line.startsWith(String(other.id))) ?? "", /Tea {2}\[31mred$/);
  const after_first = await accounts("list", String(shop.id));
  assert.equal(after_first.stdout.trimEnd().split("\n").length, lines.length);
});

test("the operator puts an account on another plan, which the account sees", async () => {
  const plans = [unlimited, { ...unlimited, name: "large" }];
  const change = (...words: readonly string[]) =>
    end(coolpay(["accounts", ...words], { DATABASE_URL: app.database_url, COOLPAY_PLANS: JSON.stringify(plans) }));
  const changed = await change("plan", String(shop.id), "large");
  assert.deepEqual([changed.code, changed.stdout], [0, `Account ${shop.id} is on the plan large.\n`], changed.stderr);
  assert.match((await change("list")).stdout, new RegExp(`^${shop.id} .* large +\\d+ +Kop og Kande$`, "m"));
  const trail = (await shop.owner("GET", "/activity?target_type=Account")).body;
  const noted = trail.filter(({ action }: { action: string }) => action === "plan");
  assert.deepEqual(
    noted.map(({ changes }: { changes: object }) => changes),
    [{ plan: ["unlimited", "large"] }],
  );
  const wrong = await change("plan", String(shop.id), "small");
  assert.deepEqual([wrong.code, wrong.stderr], [1, "There is no plan small, only unlimited, large.\n"]);
  assert.equal((await change("plan", "17", "large")).stderr, "There is no account 17, or it is closed.\n");
});

test("what the operator did not mean is said, and changes nothing", async () => {
  const none = await accounts("suspend", "17");
  assert.deepEqual([none.code, none.stdout, none.stderr], [1, "", "There is no account 17, or it is closed.\n"]);
  const list = "coolpay accounts list [<after this id>]";
  const usages = `${list}, coolpay accounts suspend <id>, coolpay accounts resume <id>, coolpay accounts plan <id> <name>`;
  for (const [words, usage] of [
    [["burn", "1"], usages],
    [["resume", "one"], "coolpay accounts resume <id>"],
  ] as const) {
    const { code, stderr } = await accounts(...words);
    assert.deepEqual([code, stderr], [2, `Say what to do: ${usage}\n`]);
  }
});
