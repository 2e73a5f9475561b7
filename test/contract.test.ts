// API v10 as its data describes it (157 operations, 69 objects) against ours: the OpenAPI document, and the real answers of a
// merchant who asks for everything once. What differs is wanted, with the line of the reference that demands it. The data
// stands beside the project; on a clone without it there is nothing to compare, and that is said.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { startApp, type TestApp } from "./support/app.ts";
import {
  type Contract,
  differencesIn,
  differencesOf,
  type Finding,
  nameOf,
  reader,
} from "./support/contract-compare.ts";
import { talkAboutEverything } from "./support/contract-conversation.ts";
import { differences_max, explains, wanted } from "./support/contract-differences.ts";
import { declaredBy } from "./support/declared.ts";
import { Receiver } from "./support/receiver.ts";

const data = resolve(import.meta.dirname, "../../shared/reference/data/v10-contract.json");

const lineOf = ({ at, about, theirs, ours }: Finding): string => `${at}: ${about}: ${theirs} there, ${ours} here`;

const isUnwanted = (finding: Finding): boolean => !wanted.some((one) => explains(one, finding));
const isState = ({ name }: { readonly name: string }): boolean => name === "state";

type Bodies = Readonly<Record<string, { readonly schema: object }>>;

function compare(): void {
  const contract: Contract = JSON.parse(readFileSync(data, "utf8"));
  const names = contract.operations.map(nameOf);
  const found: Finding[] = [];
  const called = new Set<string>();
  const receiver = new Receiver();
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await receiver.start();
  });
  after(async () => {
    await app.stop();
    receiver.stop();
  });

  /** Notes what differs, and answers what nobody wanted. */
  function unwanted(findings: readonly Finding[]): string[] {
    found.push(...findings);
    return findings.filter(isUnwanted).map(lineOf);
  }

  test("the data is whole", () => {
    assert.deepEqual([new Set(names).size, Object.keys(contract.objects).length], [157, 69]);
  });

  test("a body is the same as JSON, as a form and in parts, where it is not a file", async () => {
    const { paths } = (await app.anonymous("GET", "/openapi.json?version=v10")).body;
    let count = 0;
    for (const [path, methods] of Object.entries<Record<string, { requestBody?: { content: Bodies } }>>(paths))
      for (const [method, { requestBody }] of Object.entries(methods)) {
        if (requestBody === undefined || !("application/json" in requestBody.content)) continue;
        const { content } = requestBody;
        const names = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
        assert.deepEqual(Object.keys(content).sort(), names.sort(), `${method} ${path}`);
        if (path.endsWith("/certificate")) continue;
        for (const name of names)
          assert.deepEqual(content[name]?.schema, content["application/json"]?.schema, `${method} ${path} ${name}`);
        count += 1;
      }
    assert.ok(count > 60, `${count} bodies`);
  });

  test("our OpenAPI document has every operation, parameter, status and member, or differs on purpose", async () => {
    const document = (await app.anonymous("GET", "/openapi.json?version=v10")).body;
    const ours = reader(document);
    assert.deepEqual(unwanted(differencesIn(contract, ours)), []);
    console.log(`contract: ${names.filter((name) => ours.operations.has(name)).length} of ${names.length} operations`);
    // Resources, conventions: common failures. The data has the special ones.
    for (const [name, { responses }] of ours.operations)
      for (const status of ["400", "401", "403", "406", "429"]) assert.ok(status in responses, `${name}: ${status}`);
  });

  test("what is missing or of another type is seen", async () => {
    const document = (await app.anonymous("GET", "/openapi.json?version=v10")).body;
    const { paths, components } = document;
    const capture = paths["/payments/{id}/capture"].post;
    const members = components.schemas.Payment.properties;
    const ways: readonly (readonly [what: string, spoil: () => void])[] = [
      ["operation", () => delete paths["/ping"].post],
      ["status 202", () => delete capture.responses[202]],
      ["parameter amount", () => delete capture.requestBody],
      ["parameter id: type", () => Object.assign(capture.parameters[0].schema, { type: "string" })],
      ["parameter state: words", () => paths["/payouts"].get.parameters.find(isState).schema.enum.pop()],
      ["member balance", () => delete members.balance],
      ["member fee: null", () => Object.assign(members, { fee: { type: "integer" } })],
      ["member test_mode: type", () => Object.assign(members.test_mode, { type: "integer" })],
    ];
    for (const [, spoil] of ways) spoil();
    const seen = new Set(
      differencesIn(contract, reader(document))
        .filter(isUnwanted)
        .map(({ about }) => about),
    );
    assert.deepEqual(
      ways.map(([what]) => what).filter((what) => !seen.has(what)),
      [],
    );
    const body = { id: 2 ** 31, order_id: 7, state: "new", new_member: 1 };
    const wrong = new Set(
      differencesOf(contract, "GET /payments/{id}", body)
        .filter(isUnwanted)
        .map(({ about }) => about),
    );
    for (const what of ["member id: type", "member order_id: type", "member new_member", "answered member balance"])
      assert.ok(wrong.has(what), what);
  });

  test("real answers have the members and types of the data and of our document, every operation once", async () => {
    const document = (await app.anonymous("GET", "/openapi.json?version=v10")).body;
    const { assertAnswer } = declaredBy(document);
    const wrong: string[] = [];
    await talkAboutEverything({
      ...{ app, contract, callback_url: receiver.url },
      heard: (name, answer) => {
        assertAnswer(name, answer);
        if (answer.body !== null) wrong.push(...unwanted(differencesOf(contract, name, answer.body)));
        called.add(name);
      },
    });
    assert.deepEqual([...new Set(wrong)], []);
    assert.deepEqual(
      names.filter((name) => !called.has(name)),
      [],
      "every operation was called",
    );
    console.log(`contract: ${names.filter((name) => called.has(name)).length} of ${names.length} answered for real`);
  });

  test(`the differences are named, at most ${differences_max}, and each is still needed`, () => {
    assert.ok(wanted.length <= differences_max);
    const places = (number: number): Set<string> =>
      new Set(found.filter((one) => wanted[number] && explains(wanted[number], one)).map(lineOf));
    const counted = wanted.map((one, number) => [one, places(number).size] as const);
    assert.deepEqual(
      counted.filter(([, count]) => count === 0).map(([{ named }]) => named),
      [],
      "no longer needed",
    );
    console.log(`contract: ${wanted.length} named differences, with the number of places`);
    for (const [{ named, demanded_by }, count] of counted) console.log(`  ${count}: ${named} [${demanded_by}]`);
  });
}

if (existsSync(data)) describe("the contract of v10", compare);
else
  test("contract: skipped, ../shared is not there", () => {
    console.log("contract: skipped, ../shared is not there");
  });
