// A user's merchant accounts (reference: extensions, section 3), and the account that a key acts on (resources, section 4).

import { type Static, Type } from "typebox";
import { del, get, idIn, patch, post } from "../api/endpoint.ts";
import { email, text } from "../api/fields.ts";
import { notFound } from "../domain/refusal.ts";
import { changeAccount, close, openAccount, rotatePrivateKey } from "../services/accounts.ts";
import { AccountChange, accountChange, MerchantShape, presentAccount } from "./account-shape.ts";

const PrivateKey = Type.Object({ private_key: Type.String() }, { title: "PrivateKey" });

const Open = Type.Object({ ...AccountChange, shop_name: text({ max: 255 }), contact_email: email() });
const Change = Type.Object(AccountChange);

export const accounts = [
  get("/accounts", {
    summary: "List the merchant accounts that one is connected to",
    scope: "user",
    input: Type.Object({}),
    output: { 200: Type.Array(MerchantShape) },
    handle: async ({ services, user }) => {
      const agreements = await services.directory.agreementsOf(user.id);
      const ids = [...new Set(agreements.map(({ account_id }) => account_id))];
      const found = await Promise.all(ids.map((id) => services.directory.account(id)));
      return { status: 200, body: found.map(presentAccount) };
    },
  }),
  post("/accounts", {
    summary: "Open a merchant account",
    description: "With an agreement for its owner and one each for the system users Payment Window and API User.",
    scope: "user",
    input: Open,
    output: { 201: MerchantShape },
    handle: async ({ services, actor, user, input }) => {
      const { shop_name, contact_email }: Static<typeof Open> = input;
      const wanted = { ...accountChange(input), shop_name, contact_email };
      const account = await openAccount(services, actor, { user, wanted });
      return {
        status: 201,
        body: presentAccount(account),
        headers: { Location: `${services.addresses.api_url}/accounts/${account.id}` },
      };
    },
  }),
  get("/accounts/:id", {
    summary: "Read a merchant account that one is connected to",
    scope: "user",
    input: Type.Object({}),
    output: { 200: MerchantShape },
    handle: async ({ services, user, path }) => {
      const id = idIn(path, "Account");
      const agreements = await services.directory.agreementsOf(user.id);
      if (agreements.every(({ account_id }) => account_id !== id)) throw notFound("Account", id);
      return { status: 200, body: presentAccount(await services.directory.account(id)) };
    },
  }),
];

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
    handle: async ({ services, actor, account, input }) => {
      const changed = await changeAccount(services, actor, { id: account.id, change: accountChange(input) });
      return { status: 200, body: presentAccount(changed) };
    },
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
    handle: async ({ services, account }) => {
      const [private_key] = await services.directory.privateKeys(account.id);
      return { status: 200, body: { private_key } };
    },
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
  }),
];
