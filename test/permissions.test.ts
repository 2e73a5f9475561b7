// Every permission counts, one by one: without it 403 and nothing read, whatever else is held; with it alone past 403.
// The permissions are those that the server itself lists, so that new ones are included.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Endpoint } from "../src/api/endpoint.ts";
import { unlimited } from "../src/domain/plans.ts";
import { endpointsOf } from "../src/resources/endpoints.ts";
import { type Client, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { type Member, newKey, newMember, permissions } from "./support/members.ts";
import { basic, rawClient, spoken } from "./support/raw.ts";

let app: TestApp;
let account: TestAccount;
let member: Member;
/** The member by her own key, and as a person who names the account. */
let callers: Readonly<Record<string, Client>>;
let every: readonly string[];

const endpoints: readonly Endpoint[] = endpointsOf({ signup: "open", plans: [unlimited], program_version: "" });
const nameOf = ({ method, path }: Endpoint): string => `${method} ${path}`;
const declared = new Map(endpoints.map((endpoint) => [nameOf(endpoint), endpoint]));
const isOfAgreements = ({ scope, permission }: Endpoint): boolean =>
  scope === "merchant" || scope === "user_or_merchant" || permission === true;

before(async () => {
  app = await startApp();
  account = await app.newAccount();
  member = await newMember(app, account, []);
  const { api_key } = (await member.alone("GET", "/agreements")).body[0];
  callers = { "by key": app.client("", api_key), "as a person": member.call };
  const { body } = await account.owner("GET", "/acl-resources?page_size=100");
  const more = await account.owner("GET", "/acl-resources?page_size=100&page=2");
  every = [...body, ...more.body].flatMap(({ resource, actions }: { resource: string; actions: string[] }) =>
    actions.map((action) => `${action} ${resource}`),
  );
});
after(() => app.stop());

/** From now on the member may do this and nothing else. */
async function allow(granted: readonly string[]): Promise<void> {
  const body = { acl_permissions: permissions(...granted) };
  const { status, text } = await account.owner("PUT", `/agreements/${member.agreement_id}`, { body });
  assert.equal(status, 200, text);
}

// Neither of a type that is taken, nor whole: to whom it matters, it has been read.
const bad_body = { type: "text/plain", body: "{" };

const pathOf = (name: string): string => (name.split(" ")[1] ?? "").replaceAll(/[:*]\w+/g, "1");
const methodOf = (name: string): string => name.split(" ")[0] ?? "";

/** A GET does its work, which changes nothing; anything else is stopped by its body, once that is read. */
const ask = (call: Client, name: string) =>
  call(methodOf(name), pathOf(name), methodOf(name) === "GET" ? {} : bad_body);

/** A person needs no agreement for what is everybody's (a ping), and so no permission. */
const callersFor = (name: string): [how: string, call: Client][] =>
  Object.entries(callers).filter(([how]) => how === "by key" || declared.get(name)?.scope !== "anonymous");

test("every endpoint that an agreement is asked for is in the list of permissions, and no other", () => {
  const listed = endpoints.filter((endpoint) => isOfAgreements(endpoint) && endpoint.listed !== false).map(nameOf);
  assert.deepEqual(every.toSorted(), listed.toSorted());
  assert.ok(every.length > 100);
});

test("without one permission and with all others it is 403 with its name, before the body is read", async () => {
  for (const name of every) {
    await allow(every.filter((one) => one !== name));
    for (const [how, call] of callersFor(name)) {
      const { status, body, text } = await ask(call, name);
      assert.equal(status, 403, `${name} ${how}: ${text}`);
      // A static resource's errors have empty bodies.
      if (declared.get(name)?.static) assert.equal(text, "");
      else
        assert.deepEqual(body, {
          message: `Not authorized: Not authorized to ${name}`,
          errors: null,
          error_code: null,
        });
    }
  }
});

test("with one permission alone it gets past 403, and is refused everything else", async () => {
  for (const [i, name] of every.entries()) {
    await allow([name]);
    for (const [how, call] of callersFor(name)) {
      const { status, text } = await ask(call, name);
      if (methodOf(name) === "GET") assert.ok([200, 400, 404].includes(status), `${name} ${how}: ${status} ${text}`);
      else assert.equal(status, 415, `${name} ${how}: ${text}`);
    }
    const other = every[(i + 1) % every.length] as string;
    const { status } = await ask(callers["by key"] as Client, other);
    assert.equal(status, 403, `${other} with ${name} alone`);
  }
});

test("a body that is still to come is not waited for", async () => {
  await allow(["GET /payments"]);
  const { api_key } = (await member.alone("GET", "/agreements")).body[0];
  const head = [
    "POST /payments HTTP/1.1",
    "Host: localhost",
    `Authorization: ${basic("", api_key)}`,
    "Content-Type: application/json",
    "Content-Length: 60000",
  ];
  const answer = await spoken(app.url, `${head.join("\r\n")}\r\n\r\n{`);
  assert.match(answer, /^HTTP\/1\.1 403 /);
  assert.match(answer, /"Not authorized: Not authorized to POST \/payments"/);
});

describe("what is a person's own", () => {
  for (const endpoint of endpoints.filter(({ scope }) => scope === "user")) {
    test(`${nameOf(endpoint)} is 403 for every key, an owner's too`, async () => {
      const key = await newKey(app, account, [], { owner: true });
      const { status, body } = await key.call(endpoint.method, pathOf(nameOf(endpoint)));
      assert.deepEqual([status, body.message], [403, `Not authorized: Not authorized to ${nameOf(endpoint)}`]);
    });
  }
});

describe("without credentials", () => {
  test("everything is 401 that is not declared for everybody", async () => {
    const anonymous = rawClient(app.url);
    for (const endpoint of endpoints.filter(({ scope }) => scope !== "anonymous")) {
      const { status, headers } = await anonymous(endpoint.method, pathOf(nameOf(endpoint)), { body: "{" });
      assert.equal(status, 401, nameOf(endpoint));
      assert.match(String(headers["www-authenticate"]), /^Basic /);
    }
  });
});
