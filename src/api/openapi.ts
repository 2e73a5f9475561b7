// The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), made of the endpoints' declarations.

import type { TObject, TSchema } from "typebox";
import { refusals } from "../domain/refusal.ts";
import type { Endpoint } from "./endpoint.ts";
import { ErrorShape } from "./errors.ts";
import { waitsIn } from "./spoken.ts";
import { latest, type Version, versions } from "./versions/index.ts";
import { type Speech, speechIn } from "./versions/speech.ts";

type Json = Readonly<Record<string, unknown>>;

type Options = {
  readonly endpoints: readonly Endpoint[];
  readonly version: Version;
  readonly api_url: string;
  readonly program_version: string;
  readonly groups: Groups;
};

/** Where endpoints stand in the reference: under the first word of their path, unless `under` says where. */
export type Groups = {
  readonly under: Readonly<Record<string, string>>;
  /** What a group is about, in a sentence. */
  readonly about: Readonly<Record<string, string>>;
};

export function openApi({ endpoints, version, api_url, program_version, groups }: Options): Json {
  const schemas = new Map<string, Json>();
  const paths: Record<string, Record<string, Json>> = {};
  const context = { version, speech: speechIn(version), schemas, groups };
  for (const endpoint of endpoints) {
    if (endpoint.listed === false) continue;
    const path = endpoint.path.replace(/[:*](\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][endpoint.method.toLowerCase()] = operation(endpoint, context);
  }
  referenced(context.speech.lowered(ErrorShape).schema, schemas);
  return {
    openapi: "3.1.1",
    info: {
      title: "CoolPay API",
      version: version.name,
      description: `${introductionIn(version)}\n\n${changesOf(version)}Served by CoolPay ${program_version}; ${version.name} is ${version.stage}.`,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: api_url }],
    security: [{ basic: [] }],
    tags: [...new Set(endpoints.filter(({ listed }) => listed !== false).map((one) => tagOf(one, groups)))].map(
      (name) => ({
        name,
        ...(groups.about[name] === undefined ? {} : { description: groups.about[name] }),
      }),
    ),
    paths,
    components: {
      securitySchemes: {
        basic: {
          type: "http",
          scheme: "basic",
          description: "Empty user and API key as password; or e-mail and password.",
        },
      },
      schemas: Object.fromEntries(schemas),
      responses: Object.fromEntries(error_statuses.map((status) => [status, errorResponse(status)])),
    },
  };
}

const introductionIn = ({ switches }: Version): string =>
  `
**Credentials.** HTTP Basic: an empty user and an API key as password (\`curl -u ":API_KEY"\`), or e-mail and password. A person
with several accounts names one in the header \`CoolPay-Account-Id\`. Where two-factor is in force, calls with the password need
the header \`CoolPay-OTP\`: a code proves the caller's address for five minutes. A session's token (\`POST /sessions\`) is sent as
\`Authorization: Bearer …\`.

**Versions.** \`Accept-Version\` chooses among ${versions.map(({ name }) => `\`${name}\``).join(", ")}; without it, \`${latest.name}\` answers.

**Requests.** Bodies may be JSON, form-encoded with brackets (\`basket[][qty]=1\`) or multipart. Amounts are whole numbers in the
currency's smallest unit. Operations on money answer 202 and go on in the background; \`?synchronized\` waits for them.

**Lists.** \`page\` and \`page_size\`${switches.link_headers ? ", or follow the `Link` header, whose `page_key` stays right while new rows arrive" : ""}.

**Errors** are always \`{"message", "errors", "error_code"}\`; \`errors\` says what is wrong with which parameter.
`.trim();

/** What the version did to the one below it. */
function changesOf({ name, changes }: Version): string {
  if (changes.length === 0) return "";
  const lines = changes.map(({ says }) => `* ${says}\n`).join("");
  return `**New in ${name}**, beside the version below it:\n\n${lines}\n`;
}

const error_statuses = ["400", "401", "402", "403", "404", "406", "409", "413", "415", "428", "429", "503"];

const errorResponse = (status: string): Json => ({
  description: messagesOf(status),
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
});

function messagesOf(status: string): string {
  const messages = Object.values(refusals).filter(({ http }) => String(http) === status);
  return [...new Set(messages.map(({ message }) => message))].join("; ");
}

function tagOf({ path }: Endpoint, { under }: Groups): string {
  const [, name = ""] = path.split("/");
  return under[name] ?? name;
}

type Context = {
  readonly version: Version;
  readonly speech: Speech;
  readonly schemas: Map<string, Json>;
  readonly groups: Groups;
};

function operation(endpoint: Endpoint, context: Context): Json {
  const { version, speech, schemas, groups } = context;
  const { method, path, summary, description, scope, asynchronous, words = {} } = endpoint;
  const waits = waitsIn(version, endpoint);
  const output = asynchronous && !waits ? { 202: endpoint.output[202] } : endpoint.output;
  const input = speech.input(`${method} ${path}`, endpoint.input) as TObject;
  const in_query = method === "GET" || method === "DELETE";
  const has_input = Object.keys(input.properties).length > 0;
  const parameters = [
    ...pathParameters(path, words),
    ...(in_query ? queryParameters(input, schemas) : []),
    ...(waits ? [synchronized_parameter] : []),
    ...(endpoint.asynchronous || path.endsWith("/fraud-report") ? [callback_parameter] : []),
    versionParameter(version),
    ...(method === "GET" || scope === "anonymous" ? [] : [idempotency_parameter]),
  ];
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-zA-Z0-9]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    tags: [tagOf(endpoint, groups)],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(scope === "anonymous" ? { security: [{}, { basic: [] }] } : {}),
    "x-scope": scope,
    parameters,
    ...(in_query || !(has_input || endpoint.file) ? {} : { requestBody: requestBody(endpoint, input, schemas) }),
    responses: { ...successes(output, context), ...failures(endpoint) },
  };
}

// What is named by a ulid, and cards, whose numbers are texts in paths (reference: resources, section 10).
const text_ids = /^\/(activity|callbacks|cards|requests)\//;

// Names in paths that are texts.
const text_names: readonly string[] = ["payment_method"];

const idSchema = (path: string, name = ""): Json =>
  (text_ids.test(path) && name === "id") || text_names.includes(name)
    ? { type: "string" }
    : { type: "integer", minimum: 1, maximum: 2 ** 31 - 1 };

const wordSchema = (words: readonly string[] | undefined): Json | undefined => words && { type: "string", enum: words };

const pathParameters = (path: string, words: Readonly<Record<string, readonly string[]>>): Json[] =>
  [...path.matchAll(/([:*])(\w+)/g)].map(([, sign, name]) => ({
    name,
    in: "path",
    required: true,
    ...(sign === "*" ? { description: "All that is left of the path, slashes included" } : {}),
    schema: sign === "*" ? { type: "string" } : (wordSchema(words[name ?? ""]) ?? idSchema(path, name)),
  }));

const versionParameter = ({ name }: Version): Json => ({
  name: "Accept-Version",
  in: "header",
  required: false,
  schema: { type: "string", enum: versions.map((version) => version.name), default: latest.name },
  example: name,
});

const synchronized_parameter = {
  name: "synchronized",
  in: "query",
  required: false,
  description: "Present, with any value or none: wait for the operation and answer 200",
  allowEmptyValue: true,
  schema: { type: "string" },
};

// Taken with a fraud report too, as the original has it; a report is no operation, so nothing is sent there.
const callback_parameter = {
  name: "CoolPay-Callback-Url",
  in: "header",
  required: false,
  description: "Where this operation's callback goes; `QuickPay-Callback-Url` is taken too",
  schema: { type: "string", format: "uri" },
};

const idempotency_parameter = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "The same key with the same request has one effect and one answer for 24 hours",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

function queryParameters({ properties, ...input }: TObject, schemas: Map<string, Json>): Json[] {
  const required = (input.required ?? []) as readonly string[];
  return Object.entries(properties).map(([name, schema]) => {
    const nested = (schema as { type?: unknown }).type === "object";
    return {
      name,
      in: "query",
      required: required.includes(name),
      ...(nested ? { style: "deepObject", explode: true } : {}),
      schema: referenced(schema as TSchema, schemas),
    };
  });
}

const file_schema = { type: "string", format: "binary" };

/** A file travels in multipart only, unless it may be written as a text. */
function fileBody({ file }: Endpoint, input: TObject, schemas: Map<string, Json>): Json {
  const read = referenced(input, schemas) as { properties?: Json; required?: string[] };
  const { properties = {}, required = [] } = read;
  const all = ["file", ...required];
  const schema = { type: "object", required: all, properties: { ...properties, file: file_schema } };
  const as_text = { schema: { ...read, required: all } };
  const other = { "application/json": as_text, "application/x-www-form-urlencoded": as_text };
  return { required: true, content: { "multipart/form-data": { schema }, ...(file === "or_text" ? other : {}) } };
}

function requestBody(endpoint: Endpoint, input: TObject, schemas: Map<string, Json>): Json {
  if (endpoint.file !== undefined) return fileBody(endpoint, input, schemas);
  const schema = referenced(input, schemas);
  const required = ((input.required ?? []) as readonly string[]).length > 0;
  // Unless told, a generated client would write a group into a form as JSON.
  const groups = Object.entries(input.properties).filter(
    ([, member]) => (member as { type?: unknown }).type === "object",
  );
  const encoding = Object.fromEntries(groups.map(([name]) => [name, { style: "deepObject", explode: true }]));
  const form = groups.length === 0 ? { schema } : { schema, encoding };
  return {
    required,
    content: {
      "application/json": { schema },
      "application/x-www-form-urlencoded": form,
      "multipart/form-data": form,
    },
  };
}

const status_words: Readonly<Record<string, string>> = {
  200: "Done",
  201: "Created",
  202: "Accepted: goes on in the background",
  204: "Done, nothing to say",
};

function successes(output: Endpoint["output"], { speech, schemas }: Context): Json {
  return Object.fromEntries(
    Object.entries(output).map(([status, schema]) => [
      status,
      {
        description: status_words[status] ?? "",
        ...(schema === null || schema === undefined
          ? {}
          : { content: { [mediaType(schema)]: { schema: referenced(speech.lowered(schema).schema, schemas) } } }),
      },
    ]),
  );
}

/** A static resource says what it is. */
const mediaType = (schema: TSchema): string =>
  (schema as { contentMediaType?: string }).contentMediaType ?? "application/json";

// What an account's plan may lack or bound (services/plans.ts).
const by_plan = /^\/(subscriptions|payouts|brandings|agreements)$|\/(copy|authorize|session|recurring|credit)$/;

/** Also where none are needed, credentials may be wrong or not allowed, and a query or body unreadable. */
function failures({ method, path, static: is_static, optional }: Endpoint): Json {
  const statuses = [
    ...["400", "401"],
    ...(method === "POST" && by_plan.test(path) ? ["402"] : []),
    "403",
    ...(path.includes(":") || optional ? ["404"] : []),
    "406",
    ...(method === "GET" ? [] : ["409"]),
    // A body counts on GET too.
    ...["413", "415"],
    ...(method === "PATCH" && path.endsWith("/operations/:operation_id") ? ["428"] : []),
    ...["429", "503"],
  ];
  const failure = (status: string): Json =>
    is_static ? { description: messagesOf(status) } : { $ref: `#/components/responses/${status}` };
  return Object.fromEntries(statuses.map((status) => [status, failure(status)]));
}

/** The schema as plain JSON Schema; every part with a title of one word stands once among the components. */
function referenced(schema: TSchema, schemas: Map<string, Json>): Json {
  return walk(JSON.parse(JSON.stringify(schema)) as Json, schemas) as Json;
}

function walk(value: unknown, schemas: Map<string, Json>): unknown {
  if (Array.isArray(value)) return value.map((inner) => walk(inner, schemas));
  if (value === null || typeof value !== "object") return value;
  const walked = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner, schemas)]));
  const title = (value as { title?: unknown }).title;
  if (typeof title !== "string" || !/^\w+$/.test(title)) return walked;
  schemas.set(title, walked);
  return { $ref: `#/components/schemas/${title}` };
}
