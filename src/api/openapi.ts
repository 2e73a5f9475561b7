// The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), made of the endpoints' declarations.

import type { TObject, TSchema } from "typebox";
import { refusals } from "../domain/refusal.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Version } from "./versions/index.ts";

type Json = Readonly<Record<string, unknown>>;

type Options = {
  readonly endpoints: readonly Endpoint[];
  readonly version: Version;
  readonly api_url: string;
  readonly program_version: string;
};

export function openApi({ endpoints, version, api_url, program_version }: Options): Json {
  const schemas = new Map<string, Json>();
  const paths: Record<string, Record<string, Json>> = {};
  for (const endpoint of endpoints) {
    if (endpoint.listed === false) continue;
    const path = endpoint.path.replace(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][endpoint.method.toLowerCase()] = operation(endpoint, schemas);
  }
  schemas.set("Error", error_schema);
  return {
    openapi: "3.1.1",
    info: {
      title: "CoolPay API",
      version: version.name,
      description: `${introduction}\n\nServed by CoolPay ${program_version}; ${version.name} is ${version.stage}.`,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: api_url }],
    security: [{ basic: [] }],
    tags: [...new Set(endpoints.filter(({ listed }) => listed !== false).map(tagOf))].map((name) => ({ name })),
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

const introduction =
  "Amounts are whole numbers in the currency's smallest unit. Bodies may be JSON, form-encoded with brackets " +
  "(`basket[][qty]=1`) or multipart. Operations on money answer 202 and go on in the background; `?synchronized` waits.";

const error_schema: Json = {
  title: "Error",
  type: "object",
  required: ["message", "errors", "error_code"],
  properties: {
    message: { type: "string" },
    errors: {
      description: "Parameter path in brackets -> what is wrong with it",
      anyOf: [{ type: "object", additionalProperties: { type: "array", items: { type: "string" } } }, { type: "null" }],
    },
    error_code: { type: ["string", "null"] },
  },
};

const error_statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "428", "429", "503"];

function errorResponse(status: string): Json {
  const messages = Object.values(refusals)
    .filter(({ http }) => String(http) === status)
    .map(({ message }) => message);
  return {
    description: [...new Set(messages)].join("; "),
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
}

const tagOf = ({ path }: Endpoint): string => path.split("/")[1] ?? "";

function operation(endpoint: Endpoint, schemas: Map<string, Json>): Json {
  const { method, path, summary, description, scope, input, output } = endpoint;
  const in_query = method === "GET" || method === "DELETE";
  const has_input = Object.keys(input.properties).length > 0;
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    })),
    ...(in_query ? queryParameters(input, schemas) : []),
    ...(endpoint.asynchronous ? asynchronous_parameters : []),
    { name: "Accept-Version", in: "header", required: false, schema: { type: "string", default: "v10" } },
    ...(method === "GET" || scope === "anonymous" ? [] : [idempotency_parameter]),
  ];
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-zA-Z0-9]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    tags: [tagOf(endpoint)],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(scope === "anonymous" ? { security: [{}, { basic: [] }] } : {}),
    "x-scope": scope,
    parameters,
    ...(in_query || !has_input ? {} : { requestBody: requestBody(input, schemas) }),
    responses: { ...successes(output, schemas), ...failures(endpoint, has_input) },
  };
}

const asynchronous_parameters = [
  {
    name: "synchronized",
    in: "query",
    required: false,
    description: "Present, with any value or none: wait for the operation and answer 200",
    allowEmptyValue: true,
    schema: { type: "string" },
  },
  {
    name: "CoolPay-Callback-Url",
    in: "header",
    required: false,
    description: "Where this operation's callback goes; `QuickPay-Callback-Url` is taken too",
    schema: { type: "string", format: "uri" },
  },
];

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

function requestBody(input: TObject, schemas: Map<string, Json>): Json {
  const schema = referenced(input, schemas);
  const required = ((input.required ?? []) as readonly string[]).length > 0;
  const types = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
  return { required, content: Object.fromEntries(types.map((type) => [type, { schema }])) };
}

const status_words: Readonly<Record<string, string>> = {
  200: "Done",
  201: "Created",
  202: "Accepted: goes on in the background",
  204: "Done, nothing to say",
};

function successes(output: Endpoint["output"], schemas: Map<string, Json>): Json {
  return Object.fromEntries(
    Object.entries(output).map(([status, schema]) => [
      status,
      {
        description: status_words[status] ?? "",
        ...(schema === null || schema === undefined
          ? {}
          : { content: { "application/json": { schema: referenced(schema, schemas) } } }),
      },
    ]),
  );
}

function failures({ method, path, scope }: Endpoint, has_input: boolean): Json {
  const statuses = [
    ...(has_input || method !== "GET" ? ["400"] : []),
    "401",
    ...(scope === "anonymous" ? [] : ["403"]),
    ...(path.includes(":") ? ["404"] : []),
    "406",
    ...(method === "GET" ? [] : ["409", "413", "415"]),
    "429",
    "503",
  ];
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
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
