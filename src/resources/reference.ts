// The API's own description: /openapi.json for machines, /docs for people (Scalar, served from its package, no CDN).

import Fastify from "fastify";
import { Type } from "typebox";
import { type Endpoint, get } from "../api/endpoint.ts";
import { oneOf } from "../api/fields.ts";
import { type Groups, openApi } from "../api/openapi.ts";
import { versionNamed, versions } from "../api/versions/index.ts";

const page_path = "/docs";
const script_path = "/docs/js/scalar.js";
// Nothing is fetched from elsewhere, and nobody may frame the page. The page starts itself with an inline script.
const page_policy =
  "default-src 'none'; connect-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data: blob:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

const about_api = "about this API";
const groups: Groups = {
  under: {
    user: "users",
    "password-resets": "users",
    sessions: "users",
    "access-requests": "agreements",
    account: "accounts",
    "acl-resources": "agreements",
    versions: about_api,
    changelog: about_api,
    "openapi.json": about_api,
    docs: about_api,
  },
  about: {
    payments:
      "Create a payment and have it authorized: by its link to the payment window, by a session, or by a card. Then capture.",
    users: "People. They act on accounts through agreements.",
    accounts: "Merchant accounts and their settings.",
    agreements: "Who may do what on an account, and the API keys.",
    brandings: "What the payment window looks like: templates, stylesheets, images and translations.",
    acquirers: "What an account has agreed with each acquirer.",
    fees: "What acquirers take, by formulas over the amount, and putting it on the shopper's bill.",
    "payment-method-priority": "Which acquirer comes first where several can.",
    exports: "Lists as files for a spreadsheet or the books.",
    requests: "What the account's programs have asked, and what they were answered.",
    plans: "What accounts may do, by the operator's offer.",
    callbacks: "What the merchant's server was told, and telling it again.",
    "fraud-rulesets": "What makes a payment suspicious, and what happens then.",
    cryptography: "Keys and certificates for acquirers that want them. Private keys are never shown.",
    activity: "Who changed what, with before and after.",
  },
};

type Options = { readonly endpoints: () => readonly Endpoint[]; readonly program_version: string };

export function referenceEndpoints({ endpoints, program_version }: Options): Endpoint[] {
  const page = referencePage();
  const names = versions.map(({ name }) => name);
  // One per version: nothing in them changes while the program runs.
  const documents = new Map<string, ReturnType<typeof openApi>>();
  return [
    get("/openapi.json", {
      summary: "Read the OpenAPI 3.1 document of this API",
      scope: "anonymous",
      input: Type.Object({ version: Type.Optional(oneOf(names, { description: "Instead of Accept-Version" })) }),
      output: { 200: Type.Object({}, { additionalProperties: true }) },
      handle: ({ input, version: asked, services }) => {
        const version = (input.version && versionNamed(input.version)) || asked;
        const { api_url } = services.addresses;
        const body =
          documents.get(version.name) ?? openApi({ endpoints: endpoints(), version, api_url, program_version, groups });
        documents.set(version.name, body);
        return { status: 200, body };
      },
    }),
    get(page_path, {
      summary: "Read the API reference",
      scope: "anonymous",
      static: true,
      input: Type.Object({}),
      output: { 200: Type.String({ contentMediaType: "text/html" }) },
      handle: async () => ({
        status: 200,
        body: await page(`${page_path}/`),
        type: "text/html; charset=UTF-8",
        headers: { "Content-Security-Policy": page_policy, "X-Content-Type-Options": "nosniff" },
      }),
    }),
    get(script_path, {
      summary: "The API reference's script",
      scope: "anonymous",
      static: true,
      listed: false,
      input: Type.Object({}),
      output: { 200: Type.String({ contentMediaType: "text/javascript" }) },
      handle: async () => ({
        status: 200,
        body: await page(script_path),
        type: "text/javascript; charset=UTF-8",
        headers: { "Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff" },
      }),
    }),
  ];
}

/** Reads the package's pages. It is large, so it is loaded when somebody first looks. */
function referencePage(): (path: string) => Promise<string> {
  let made: Promise<ReturnType<typeof Fastify>> | undefined;
  async function make() {
    const { default: scalar } = await import("@scalar/fastify-api-reference");
    const server = Fastify({ logger: false });
    await server.register(scalar, {
      routePrefix: page_path,
      configuration: {
        sources: versions.map(({ name, stage }) => ({
          url: `/openapi.json?version=${name}`,
          title: `${name} (${stage})`,
          slug: name,
          default: stage === "latest",
        })),
        // Where the page itself was asked for, whatever name that was: the policy above allows no other.
        servers: [{ url: "/" }],
        cdn: script_path,
        pageTitle: "CoolPay API",
        withDefaultFonts: false,
        telemetry: false,
        // Only what reads and tries this API: no offers of other services.
        hideClientButton: true,
        showDeveloperTools: "never",
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    } as Parameters<typeof scalar>[1]);
    await server.ready();
    return server;
  }
  return async (path) => {
    made ??= make();
    const server = await made;
    return (await server.inject(path)).body;
  };
}
