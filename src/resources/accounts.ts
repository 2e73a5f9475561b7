// A user's merchant accounts (reference: extensions, section 3), and the account that a key acts on (resources, section 4).

import { type Static, Type } from "typebox";
import { addressAllowed } from "../api/authenticate.ts";
import { type AnyRequest, del, get, idIn, patch, post, type Reply } from "../api/endpoint.ts";
import { email, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { type Agreement, may } from "../domain/access.ts";
import { notFound } from "../domain/refusal.ts";
import { changeAccount, close, openAccount, rotatePrivateKey } from "../services/accounts.ts";
import { AccountChange, accountChange, MerchantShape, presentAccount, presentAccountBriefly } from "./account-shape.ts";
import { pageIn } from "./lists.ts";

const PrivateKey = Type.Object({ private_key: Type.String() }, { title: "PrivateKey" });

const Open = Type.Object({ ...AccountChange, shop_name: text({ max: 255 }), contact_email: email() });
const Change = Type.Object(AccountChange);

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "asc" };

/** An account as this member may see it: acquirers' secrets only with the permission to read the account. */
async function presentTo({ services, actor }: AnyRequest<"user">, agreement: Agreement) {
  const account = await services.directory.account(agreement.account_id);
  const reads = may(agreement, "GET", "/account") && addressAllowed(agreement, actor.ip ?? "");
  return reads ? presentAccount(account) : presentAccountBriefly(account);
}

/** The account as the caller may see it; 404 for one that she is not connected to. */
async function ownAccount(request: AnyRequest<"user">, id: number) {
  const agreements = await request.services.directory.agreementsOf(request.user.id);
  const agreement = agreements.find(({ account_id }) => account_id === id);
  if (agreement === undefined) throw notFound("Account", id);
  return presentTo(request, agreement);
}

const accountUrl = ({ services }: AnyRequest, id: number): string => `${services.addresses.api_url}/accounts/${id}`;

export const accounts = [
  get("/accounts", {
    summary: "List the merchant accounts that one is connected to",
    description: "Settings of acquirers are shown to who may read the account there.",
    scope: "user",
    input: Type.Object(pagingFields(sorting)),
    output: { 200: Type.Array(MerchantShape) },
    handle: async (request) => {
      const agreements = await request.services.directory.agreementsOf(request.user.id);
      return listReply(request, {
        input: request.input,
        sorting,
        fetch: (page) =>
          Promise.all(pageIn(agreements, page, ({ account_id }) => account_id).map((one) => presentTo(request, one))),
        anchorOf: ({ id }) => ({ value: id, id }),
        present: (account) => account,
      });
    },
  }),
  post("/accounts", {
    summary: "Open a merchant account",
    description: "With an agreement for its owner and one each for the system users Payment Window and API User.",
    scope: "user",
    input: Open,
    output: { 201: MerchantShape },
    handle: async (request) => {
      const { services, actor, user, input, params } = request;
      const { shop_name, contact_email }: Static<typeof Open> = input;
      const wanted = { ...accountChange(input, params), shop_name, contact_email };
      const account = await openAccount(services, actor, { user, wanted });
      return {
        status: 201,
        body: presentAccount(account),
        headers: { Location: accountUrl(request, account.id) },
      };
    },
    resume: async (request, { id }) => ({
      status: 201,
      body: await ownAccount(request, id),
      headers: { Location: accountUrl(request, id) },
    }),
  }),
  get("/accounts/:id", {
    summary: "Read a merchant account that one is connected to",
    scope: "user",
    input: Type.Object({}),
    output: { 200: MerchantShape },
    handle: async (request) => ({
      status: 200,
      body: await ownAccount(request, idIn(request.path, "Account")),
    }),
  }),
];

async function shownPrivateKey({ services, account }: AnyRequest<"merchant">): Promise<Reply> {
  const [private_key] = await services.directory.privateKeys(account.id);
  return { status: 200, body: { private_key } };
}

export const account = [
  get("/account", {
    summary: "Read the account",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: MerchantShape },
    handle: ({ account }) => ({ status: 200, body: presentAccount(account) }),
  }),
  patch("/account", {
    summary: "Change the account's settings",
    description: "What is not given stays; groups are merged member by member.",
    scope: "merchant",
    nulls: true,
    input: Change,
    output: { 200: MerchantShape },
    handle: async ({ services, actor, account, input, params }) => {
      const changed = await changeAccount(services, actor, { id: account.id, change: accountChange(input, params) });
      return { status: 200, body: presentAccount(changed) };
    },
    resume: async ({ services }, { id }) => ({
      status: 200,
      body: presentAccount(await services.directory.account(id)),
    }),
  }),
  del("/account", {
    summary: "Close the account",
    description: "Its keys stop working; its books stay.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 204: null },
    handle: async ({ services, actor, account }) => {
      await close(services, actor, account.id);
      return { status: 204 };
    },
  }),
  get("/account/private-key", {
    summary: "Read the private key, which signs callbacks",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: PrivateKey },
    handle: shownPrivateKey,
  }),
  patch("/account/private-key", {
    summary: "Regenerate the private key",
    description: "For 24 hours `webhook-signature` carries the signatures of both keys.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: PrivateKey },
    handle: async ({ services, actor, account }) => ({
      status: 200,
      body: { private_key: await rotatePrivateKey(services, actor, account.id) },
    }),
    resume: shownPrivateKey,
  }),
];
