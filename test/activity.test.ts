// The audit trail: every change with who, what, before and after; never a secret.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { newKey, newMember, permissions } from "./support/members.ts";

let app: TestApp;
let account: TestAccount;
before(async () => {
  app = await startApp();
  account = await app.newAccount();
});
after(() => app.stop());

type Activity = {
  id: string;
  target_type: string;
  target_id: number;
  action: string;
  user_id: number | null;
  changes: Record<string, [unknown, unknown]>;
  extra: { path: string; user: string };
};

const newest = async (): Promise<Activity> => (await account.owner("GET", "/activity?page_size=1")).body[0];

describe("every change is written down", () => {
  test("of the account: who, what, before and after", async () => {
    const me = (await app.client(account.email, account.password)("GET", "/user")).body;
    await account.owner("PATCH", "/account", {
      body: { shop_name: "Kop & Kande", customer_address: { city: "Odense" } },
    });
    const { id, created_at, ...entry } = (await account.owner("GET", "/activity?page_size=1")).body[0];
    assert.match(id, /^[0-9A-Z]{26}$/);
    assert.match(created_at, /Z$/);
    assert.deepEqual(entry, {
      target_type: "Account",
      target_id: account.id,
      action: "update",
      changes: { shop_name: ["Kop og Kande", "Kop & Kande"], customer_address_city: [null, "Odense"] },
      user_id: me.id,
      account_id: account.id,
      extra: { path: "/account", user: "Ida Holm" },
      support: false,
    });
    const read = await account.owner("GET", `/activity/${id}`);
    assert.deepEqual(read.body, { id, created_at, ...entry });
  });

  test("of agreements: made, changed, new key, accepted, ended", async () => {
    const key = await newKey(app, account, ["GET /payments"]);
    const path = `/agreements/${key.agreement_id}`;
    const made = await newest();
    assert.deepEqual([made.target_type, made.target_id, made.action], ["Agreement", key.agreement_id, "create"]);
    await account.owner("PATCH", path, { body: { description: "Lager" } });
    assert.deepEqual((await newest()).changes, { description: [null, "Lager"] });
    await account.owner("PUT", path, { body: { acl_permissions: permissions("GET /account") } });
    const replaced = await newest();
    assert.match(JSON.stringify(replaced.changes.acl_permissions?.[0]), /\/payments/);
    assert.match(JSON.stringify(replaced.changes.acl_permissions?.[1]), /\/account/);
    const fresh = await account.owner("PATCH", `${path}/api-key`);
    assert.deepEqual((await newest()).changes, { api_key: ["[hidden]", "[hidden]"] });
    await account.owner("DELETE", path);
    assert.equal((await newest()).action, "delete");
    const member = await newMember(app, account, []);
    const accepted = await newest();
    assert.deepEqual([accepted.action, accepted.target_id], ["accept", member.agreement_id]);

    const all = await account.owner("GET", "/activity?page_size=100");
    for (const secret of [key.api_key, fresh.body.api_key, account.api_key]) assert.ok(!all.text.includes(secret));
  });

  test("of opening an account: the account and each of its three agreements", async () => {
    const shop = await app.newAccount();
    const { body } = await shop.owner("GET", "/activity");
    assert.deepEqual(body.map((a: Activity) => `${a.action} ${a.target_type}`).sort(), [
      "create Account",
      "create Agreement",
      "create Agreement",
      "create Agreement",
    ]);
  });

  test("of users too, without passwords, outside every account", async () => {
    const { email, password, call } = await app.signUp();
    const next = "nine purple lanterns";
    const { id } = (
      await call("PATCH", "/user", { body: { name: "Ida Ny", password: next, current_password: password } })
    ).body;
    const { rows } = await app.services.pool.query(
      "SELECT action, changes::text AS changes FROM activity WHERE target_type = 'User' AND target_id = $1 ORDER BY id",
      [id],
    );
    assert.deepEqual(
      rows.map(({ action }) => action),
      ["create", "update"],
    );
    assert.deepEqual(JSON.parse(rows[1].changes), { name: ["Ida Holm", "Ida Ny"], password: ["[hidden]", "[hidden]"] });
    const text = JSON.stringify(rows);
    assert.ok(text.includes(email) && !text.includes(password) && !text.includes(next) && !text.includes("argon2"));
  });

  test("a refused change leaves no trace", async () => {
    const before = await newest();
    assert.equal((await account.owner("PATCH", "/account", { body: { timezone: "noon" } })).status, 400);
    const [own] = (await account.owner("GET", "/agreements?me=1")).body;
    assert.equal((await account.owner("DELETE", `/agreements/${own.id}`)).status, 409);
    assert.equal((await newest()).id, before.id);
  });
});

describe("reading it", () => {
  test("by target and by user", async () => {
    const member = await newMember(app, account, ["PATCH /account", "GET /activity"]);
    const user = (await member.alone("GET", "/user")).body;
    await member.call("PATCH", "/account", { body: { shopsystem: "Magento" } });
    const by_user = (await account.owner("GET", `/activity?user_id=${user.id}`)).body;
    assert.deepEqual(
      by_user.map((a: Activity) => a.action),
      ["update", "accept"],
    );
    const by_target = (await account.owner("GET", `/activity?target_type=Agreement&target_id=${member.agreement_id}`))
      .body;
    assert.deepEqual(
      by_target.map((a: Activity) => a.action),
      ["accept", "create"],
    );
    assert.deepEqual((await account.owner("GET", "/activity?target_type=Payment")).body, []);
    assert.deepEqual((await account.owner("GET", "/activity?support=1")).body, []);
    const done = (await account.owner("GET", `/agreements/${member.agreement_id}/activity`)).body;
    assert.ok(done.some((a: Activity) => a.changes.shopsystem !== undefined));
  });

  test("in pages, forwards and backwards, newest or oldest first", async () => {
    const all: string[] = (await account.owner("GET", "/activity?page_size=100")).body.map((a: Activity) => a.id);
    assert.ok(all.length > 6);
    const walk = async (path: string, rel: string): Promise<{ seen: string[]; last: string }> => {
      const seen: string[] = [];
      let last = path;
      for (let next: string | undefined = path; next !== undefined; ) {
        last = next;
        const page = await account.owner("GET", next);
        seen.push(...page.body.map((a: Activity) => a.id));
        next = new RegExp(`<([^>]+)>; rel="${rel}"`).exec(page.headers.get("link") ?? "")?.[1]?.slice(app.url.length);
      }
      return { seen, last };
    };
    const forwards = await walk("/activity?page_size=3", "next");
    assert.deepEqual(forwards.seen, all);
    const back = await walk(forwards.last, "prev");
    assert.deepEqual(new Set(back.seen), new Set(all));
    assert.deepEqual((await walk("/activity?page_size=4&sort_dir=asc", "next")).seen, [...all].reverse());
    assert.equal((await account.owner("GET", "/activity?page_key=nonsense!")).status, 400);
    assert.equal((await account.owner("GET", "/activity?sort_by=user_id")).status, 400);
  });

  test("only on one's own account, with the permission", async () => {
    const other = await app.newAccount();
    const { id } = await newest();
    const answer = await other.owner("GET", `/activity/${id}`);
    assert.deepEqual([answer.status, answer.body.message], [404, `Not found: No Activity with id ${id}`]);
    assert.ok(!(await other.owner("GET", "/activity?page_size=100")).text.includes(id));
    assert.equal((await account.call("GET", "/activity")).status, 403);
    assert.equal((await app.anonymous("GET", "/activity")).status, 401);
  });
});
