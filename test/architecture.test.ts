// The import arrow of ARCHITECTURE.md, read from the sources.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

const src = resolve(import.meta.dirname, "../src");

/** A folder may import from itself and from these. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  storage: ["domain"],
  acquirers: ["domain", "storage"],
  services: ["domain", "storage", "acquirers"],
  api: ["domain", "services", "storage"],
  resources: ["api", "domain", "services", "storage"],
  work: ["domain", "services", "storage"],
  window: ["api", "services", "domain"],
  manager: ["api", "services", "domain"],
};

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));

type Import = { readonly from: string; readonly to: string };

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(src, file), "utf8");
  return [...text.matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g)].map((match) => ({
    from: file,
    to: relative(src, resolve(src, dirname(file), match[1] ?? match[2] ?? "")),
  }));
});

const folderOf = (file: string): string => (file.includes("/") ? (file.split("/")[0] ?? "") : "");

test("a folder imports only what lies on its side of the arrow", () => {
  assert.ok(imports.length > 100, "the sources were found");
  const wrong = imports.filter(({ from, to }) => {
    const folder = folderOf(from);
    return folder !== "" && folder !== folderOf(to) && !(allowed[folder] ?? []).includes(folderOf(to));
  });
  assert.deepEqual(wrong, []);
});

// Who moves the money, and who asks the card's issuer.
const acquirer_contracts = ["acquirers/acquirer.ts", "acquirers/three-d-secure.ts"];

test("services know acquirers by their contracts alone", () => {
  const wrong = imports.filter(
    ({ from, to }) => folderOf(from) === "services" && folderOf(to) === "acquirers" && !acquirer_contracts.includes(to),
  );
  assert.deepEqual(wrong, []);
});

test("only config.ts and the command line read the environment", () => {
  const readers = files.filter((file) => /process\.env/.test(readFileSync(join(src, file), "utf8")));
  assert.deepEqual(readers, ["main.ts"]);
});

test("the domain knows no clock, no chance and no outside", () => {
  const impure = /\bDate\.now\(|new Date\(\)|Math\.random|process\.|from "node:(?!crypto")/;
  const wrong = files.filter(
    (file) => folderOf(file) === "domain" && impure.test(readFileSync(join(src, file), "utf8")),
  );
  assert.deepEqual(wrong, []);
});
