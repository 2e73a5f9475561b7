// The contract (what API v10 was, as data) and our OpenAPI document in one flat form, and what differs between them.

import { mayBeNull, newPaymentParameters } from "./contract-reference.ts";

// biome-ignore lint/suspicious/noExplicitAny: the OpenAPI document is walked as the JSON that it is
type Json = any;

/** The type of a member or answer: a JSON type, the name of an object, or a list of one of these. */
type Named = string | readonly (string | null)[] | null;
type Member = { readonly type: Named; readonly enum?: readonly unknown[] };

type Operation = {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly (Member & {
    readonly name: string;
    readonly in: "path" | "query" | "header" | "formData" | "body";
    readonly required: boolean;
    readonly default?: unknown;
  })[];
  /** What is answered, by status; null: nothing that it describes. */
  readonly responses: Readonly<Record<string, Named>>;
};

/** `v10-contract.json`, as it is. */
export type Contract = {
  readonly operations: readonly Operation[];
  readonly objects: Readonly<Record<string, Readonly<Record<string, Member>>>>;
};

/** One place where the two sides say different things; `-` where a side says nothing. */
export type Finding = {
  /** `POST /payments`, or the name of an object. */
  readonly at: string;
  /** `parameter order_id: type`, `status 202`, `member fee: type`. */
  readonly about: string;
  readonly theirs: string;
  readonly ours: string;
};

type Parameter = {
  readonly place: string;
  readonly required: boolean;
  readonly type: string;
  readonly words: string;
  readonly preset: string;
};
type Parameters = ReadonlyMap<string, Parameter>;

const nothing = "-";
const said = (value: unknown): string => (value === undefined ? nothing : JSON.stringify(value));
const sorted = (words: readonly unknown[] | undefined): string =>
  words === undefined ? nothing : words.map(String).sort().join(" ");

/** `*resource_name`, `{resource_name}`: what takes the rest of a path is written in two ways. */
export const nameOf = ({ method, path }: { readonly method: string; readonly path: string }): string =>
  `${method} ${path.replace(/\*(\w+)/g, "{$1}")}`;

// `integer:int32` is every integer here: none is larger.
const plainType = (type: Named): string => String(type).replace(/:(int32|float)$/, "");

const places: Readonly<Record<string, string>> = { formData: "body" };

const theirParameters = ({ parameters }: Pick<Operation, "parameters">): Parameters =>
  new Map(
    // One body in the data, of which nothing more is said there.
    (parameters.some(({ in: place }) => place === "body") ? newPaymentParameters : parameters).map(
      ({ name, in: place, required, type, enum: words, default: preset }) => [
        name,
        {
          place: places[place] ?? place,
          required,
          type: plainType(type),
          words: sorted(words),
          preset: said(preset),
        },
      ],
    ),
  );

/** Our OpenAPI document, read as a client would. */
export function reader(document: Json) {
  const resolve = (schema: Json): Json =>
    schema?.$ref === undefined ? schema : document.components.schemas[schema.$ref.split("/").at(-1)];

  /** What a schema says, and whether null is allowed beside it. */
  function meant(schema: Json): { readonly schema: Json; readonly or_null: boolean } {
    const { anyOf, ...plain } = resolve(schema);
    if (anyOf === undefined) return { schema: plain, or_null: false };
    const other = anyOf.filter(({ type }: Json) => type !== "null");
    if (other.length !== 1) throw new Error(`neither one thing nor null: ${JSON.stringify(anyOf)}`);
    return { schema: { ...plain, ...resolve(other[0]) }, or_null: other.length < anyOf.length };
  }

  function typeOf({ type, format, const: fixed, enum: words }: Json): string {
    if (format === "date-time") return "string:date-time";
    return format === "binary" ? "file" : (type ?? typeof (fixed ?? words?.[0]));
  }

  function flatten(schema: Json, place: string, path = "", asked = true): [string, Parameter][] {
    const { properties = {}, required = [] } = schema;
    return Object.entries<Json>(properties).flatMap(([member, declared]): [string, Parameter][] => {
      const name = path === "" ? member : `${path}[${member}]`;
      const one = meant(declared).schema;
      const is_required = asked && required.includes(member);
      if (one.type === "object" && one.properties !== undefined) return flatten(one, place, name, is_required);
      const items = one.type === "array" ? meant(one.items).schema : null;
      if (items?.properties !== undefined) return flatten(items, place, `${name}[]`);
      const facts = { place, required: is_required, words: sorted(one.enum), preset: said(one.default) };
      return [[name, { ...facts, type: typeOf(one) }]];
    });
  }

  function parametersOf(declared: Json): Parameters {
    const listed = declared.parameters.flatMap(({ name, in: place, required, schema }: Json) =>
      flatten({ properties: { [name]: schema }, required: required ? [name] : [] }, place),
    );
    const content = declared.requestBody?.content ?? {};
    const body = content["multipart/form-data"];
    return new Map([...listed, ...(body === undefined ? [] : flatten(meant(body.schema).schema, "body"))]);
  }

  /** The shape of an answer: null without a body, undefined for a status that is not declared. */
  function answerOf(declared: Json, status: string): Json | null | undefined {
    const response = declared.responses[status];
    if (response === undefined) return undefined;
    const { content } = response.$ref ? document.components.responses[status] : response;
    return content === undefined ? null : (Object.values<Json>(content)[0]?.schema ?? null);
  }

  const operations: ReadonlyMap<string, Json> = new Map(
    Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
      Object.entries<Json>(methods).map(([method, one]) => [nameOf({ method: method.toUpperCase(), path }), one]),
    ),
  );
  return { operations, meant, typeOf, parametersOf, answerOf };
}
export type Reader = ReturnType<typeof reader>;

/** Where they say a text, ours may say that it is a time; a whole number is a number. */
const typesDiffer = (theirs: string, ours: string): boolean =>
  theirs !== ours &&
  !(theirs === "string" && ours === "string:date-time") &&
  !(theirs === "number" && ours === "integer");

function parameterFindings(at: string, theirs: Parameters, ours: Parameters): Finding[] {
  const findings: Finding[] = [];
  for (const name of new Set([...theirs.keys(), ...ours.keys()])) {
    const [one, other] = [theirs.get(name), ours.get(name)];
    if (one === undefined || other === undefined) {
      const [place, where] = [one?.place ?? nothing, other?.place ?? nothing];
      findings.push({ at, about: `parameter ${name}`, theirs: place, ours: where });
      continue;
    }
    for (const aspect of ["place", "required", "type", "words", "preset"] as const) {
      if (aspect === "type" ? !typesDiffer(one.type, other.type) : one[aspect] === other[aspect]) continue;
      const about = `parameter ${name}: ${aspect}`;
      findings.push({ at, about, theirs: String(one[aspect]), ours: String(other[aspect]) });
    }
  }
  return findings;
}

/** Compares their objects with our schemas, each pair once, into `findings`. */
function shapeComparer({ objects }: Contract, { meant, typeOf }: Reader, findings: Finding[]) {
  const compared = new Set<string>();

  function compare(theirs: Named, declared: Json, at: string, about: string): void {
    const { schema } = meant(declared);
    const items = schema.type === "array" ? meant(schema.items).schema : null;
    if (Array.isArray(theirs) !== (items !== null))
      findings.push({ at, about, theirs: said(theirs), ours: items === null ? typeOf(schema) : "array" });
    const one = plainType(Array.isArray(theirs) ? theirs[0] : theirs);
    const other = items ?? schema;
    if (objects[one] !== undefined) compareMembers(one, other);
    else if (one !== "null" && typesDiffer(one, typeOf(other)))
      findings.push({ at, about, theirs: one, ours: typeOf(other) });
  }

  function compareMembers(name: string, schema: Json): void {
    const key = `${name} ${JSON.stringify(schema)}`;
    if (compared.has(key)) return;
    compared.add(key);
    const [theirs, ours] = [objects[name] ?? {}, schema.properties ?? {}];
    findings.push(...missing(name, theirs, ours));
    for (const [member, declared] of Object.entries<Json>(ours)) {
      const about = `member ${member}`;
      const { schema: said_of_it, or_null } = meant(declared);
      const may = mayBeNull(name, member);
      if (may !== or_null)
        findings.push({ at: name, about: `${about}: null`, theirs: nulls(may), ours: nulls(or_null) });
      const one = theirs[member];
      if (one === undefined) continue;
      compare(one.type, declared, name, `${about}: type`);
      const { enum: words, items, const: fixed } = said_of_it;
      const other = sorted(words ?? items?.enum ?? (fixed === undefined ? undefined : [fixed]));
      if (one.enum !== undefined && sorted(one.enum) !== other)
        findings.push({ at: name, about: `${about}: words`, theirs: sorted(one.enum), ours: other });
    }
  }
  return compare;
}

const nulls = (may: boolean): string => (may ? "may be" : "never");

/** Members that only one side has. */
function missing(at: string, theirs: object, ours: object): Finding[] {
  const only = (here: object, there: object) => Object.keys(here).filter((member) => !Object.hasOwn(there, member));
  return [
    ...only(theirs, ours).map((member) => ({ at, about: `member ${member}`, theirs: "there", ours: nothing })),
    ...only(ours, theirs).map((member) => ({ at, about: `member ${member}`, theirs: nothing, ours: "there" })),
  ];
}

const successes = ["200", "201", "202", "204"];

function statusFindings(at: string, { theirs, ours, waits }: Record<"theirs" | "ours", object> & { waits: boolean }) {
  // The data has what is answered at 200, also where another status is the one that is sent, unless somebody waited.
  const others = waits ? [] : successes.slice(1).filter((status) => Object.hasOwn(theirs, status));
  const named = (status: string): string =>
    status === "200" && others.length > 0 ? `status 200 beside ${others}` : `status ${status}`;
  const only = (here: object, there: object) => Object.keys(here).filter((status) => !Object.hasOwn(there, status));
  return [
    ...only(theirs, ours).map((status) => ({ at, about: named(status), theirs: "there", ours: nothing })),
    ...only(ours, theirs).map((status) => ({ at, about: named(status), theirs: nothing, ours: "there" })),
  ];
}

/** Everything in which the two sides differ. */
export function differencesIn(contract: Contract, ours: Reader): readonly Finding[] {
  const findings: Finding[] = [];
  const compare = shapeComparer(contract, ours, findings);
  for (const operation of contract.operations) {
    const at = nameOf(operation);
    const declared = ours.operations.get(at);
    if (declared === undefined) {
      findings.push({ at, about: "operation", theirs: "there", ours: nothing });
      continue;
    }
    const parameters = ours.parametersOf(declared);
    findings.push(...parameterFindings(at, theirParameters(operation), parameters));
    const waits = parameters.has("synchronized");
    findings.push(...statusFindings(at, { theirs: operation.responses, ours: declared.responses, waits }));
    const shape = operation.responses["200"] ?? null;
    const answers = successes.map((status) => ours.answerOf(declared, status)).filter(Boolean);
    if (shape !== null) for (const answer of answers) compare(shape, answer, at, "answer");
    if ((shape !== null) !== answers.length > 0)
      findings.push({
        at,
        about: "answer",
        theirs: said(shape ?? undefined),
        ours: answers.length > 0 ? "there" : nothing,
      });
  }
  return findings;
}

const time_pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const integer_max = 2 ** 31 - 1;

function typeOfValue(value: unknown): string {
  if (typeof value === "string") return time_pattern.test(value) ? "string:date-time" : "string";
  if (typeof value !== "number") return Array.isArray(value) ? "array" : typeof value;
  return !Number.isInteger(value) ? "number" : Math.abs(value) > integer_max ? "more than 32 bits" : "integer";
}

/** In what a real answer differs from what the data says of it. Null is judged by our own schema, which was compared. */
export function differencesOf(contract: Contract, at: string, body: unknown): readonly Finding[] {
  const { objects } = contract;
  const findings: Finding[] = [];
  const operation = contract.operations.find((one) => nameOf(one) === at);

  function look(theirs: Named, value: unknown, place: string, about: string): void {
    if (value === null) return;
    const is_list = Array.isArray(value);
    if (Array.isArray(theirs) !== is_list)
      findings.push({ at: place, about, theirs: said(theirs), ours: typeOfValue(value) });
    const one = plainType(Array.isArray(theirs) ? theirs[0] : theirs);
    for (const item of is_list ? value : [value]) {
      if (objects[one] !== undefined) lookInto(one, item);
      else if (one !== "null" && typesDiffer(one, typeOfValue(item)))
        findings.push({ at: place, about, theirs: one, ours: typeOfValue(item) });
    }
  }

  function lookInto(name: string, value: Readonly<Record<string, unknown>>): void {
    const members = objects[name] ?? {};
    const only_ours = ({ theirs }: Finding): boolean => theirs === nothing;
    for (const one of missing(name, members, value))
      findings.push(only_ours(one) ? one : { ...one, about: `answered ${one.about}` });
    for (const [member, { type }] of Object.entries(members))
      if (Object.hasOwn(value, member)) look(type, value[member], name, `member ${member}: type`);
  }

  const shape = operation?.responses["200"] ?? null;
  if (shape !== null) look(shape, body, at, "answer");
  return findings;
}
