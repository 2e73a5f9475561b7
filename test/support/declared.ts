// Real answers against what our OpenAPI document declares of them, to the last member.

import assert from "node:assert/strict";
import Schema from "typebox/schema";
import type { Answer } from "./app.ts";

// biome-ignore lint/suspicious/noExplicitAny: the OpenAPI document is walked as the JSON that it is
type Json = any;

/** The schema with no room for members that it does not name. */
function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const names_members = schema.type === "object" && Object.keys(schema.properties ?? {}).length > 0;
  return names_members && schema.additionalProperties === undefined ? { ...inner, additionalProperties: false } : inner;
}

/** Checks for this document's answers. They throw with what is wrong. */
export function declaredBy(document: Json) {
  const components = closed(document.components);
  const compiled = new Map<string, ReturnType<typeof Schema.Compile>>();

  function assertSchema(body: unknown, schema: Json, what: string): void {
    const key = JSON.stringify(schema);
    const check = compiled.get(key) ?? Schema.Compile({ ...closed(schema), components });
    compiled.set(key, check);
    if (check.Check(body)) return;
    const [, errors] = check.Errors(body);
    assert.fail(`${what}: ${JSON.stringify(errors)}\n${JSON.stringify(body)}`);
  }

  /** `name`: `GET /payments/{id}`. What is not JSON must have the declared media type, what is empty none. */
  function assertAnswer(name: string, { status, headers, text, body }: Answer): void {
    const [method = "", path = ""] = name.split(" ");
    const response = document.paths[path][method.toLowerCase()].responses[status];
    assert.ok(response !== undefined, `${name} answers ${status}, which is not declared: ${text}`);
    const { content } = response.$ref === undefined ? response : document.components.responses[status];
    const [type = ""] = Object.keys(content ?? {});
    if (type === "") assert.equal(text, "", name);
    else if (type === "application/json") assertSchema(body, content[type].schema, `${name} ${status}`);
    // What merchants have uploaded says itself what it is.
    else if (type !== "application/octet-stream") assert.ok(headers.get("content-type")?.startsWith(type), name);
  }
  return { assertSchema, assertAnswer };
}
