// The documents say what is there: links lead somewhere, every shown line is listed, settings and endpoints are told.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { test_cards } from "../src/domain/test-cards.ts";
import { documented, shows } from "./shows.ts";

const project = resolve(import.meta.dirname, "..");
const documents = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ...readdirSync(join(project, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];

test("every link between the documents leads to a file", () => {
  for (const document of documents) {
    const text = readFileSync(join(project, document), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      assert.ok(existsSync(join(project, dirname(document), target)), `${document} links to ${target}`);
    }
  }
});

test("docs/shows.md lists every line that is to be shown, with its command and output", () => {
  const text = documented();
  for (const { issue, line, command } of shows) {
    const at = text.indexOf(`## ${issue}: ${line}\n`);
    assert.ok(at >= 0, line);
    const [section = ""] = text.slice(at).split("\n## ");
    assert.ok(section.includes(`\`${command.join(" ")}\``), line);
    assert.match(section, /```text\n.+\n```/s, `${line}: no output`);
  }
});

test("the page of test cards shows Visa's, as they are", () => {
  const text = readFileSync(join(project, "docs/test-cards.md"), "utf8").replaceAll(" ", "");
  for (const { number } of test_cards.filter(({ brand }) => brand === "visa")) assert.ok(text.includes(number), number);
});
