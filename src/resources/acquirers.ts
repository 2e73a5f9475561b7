// What an account has agreed with each acquirer (reference: resources, section 6): the same settings that PATCH /account
// takes, an acquirer at a time. The paths are spelled out, so that each can be permitted and has a shape of its own.

import { Type } from "typebox";
import { type AnyRequest, type Endpoint, get, patch, post, wordIn } from "../api/endpoint.ts";
import { allAcquirerSettings, required_settings } from "../domain/acquirer-settings.ts";
import { type AcquirerName, acquirer_names, testable_acquirers } from "../domain/acquirers.ts";
import { changeAccount } from "../services/accounts.ts";
import { testAcquirer, tested_parts } from "../services/acquirer-test.ts";
import type { Account } from "../services/directory.ts";
import { settingsOf } from "./account-shape.ts";
import { acquirer_shapes, acquirerShape } from "./acquirer-shape.ts";

const AcquirerSettingsShape = Type.Object(acquirer_shapes, { title: "AcquirerSettings" });

const TestResultShape = Type.Object(
  { success: Type.Boolean(), message: Type.String(), currency: Type.Union([Type.String(), Type.Null()]) },
  { title: "AcquirerTestResult" },
);
const TestDetailsShape = Type.Object(
  Object.fromEntries(tested_parts.map((part) => [part, Type.Optional(TestResultShape)])),
  { title: "AcquirerTestDetails", description: "What the acquirer could be asked about" },
);
const AcquirerTestShape = Type.Object(
  { success: Type.Boolean(), details: TestDetailsShape },
  { title: "AcquirerTest" },
);

const shownAt = ({ settings }: Account, name: AcquirerName) => allAcquirerSettings(settings.acquirer_settings)[name];

const shownNow = async ({ services, account }: AnyRequest<"merchant">, name: AcquirerName) => ({
  status: 200 as const,
  body: shownAt(await services.directory.account(account.id), name),
});

const endpointsFor = (name: AcquirerName): Endpoint[] => [
  get(`/acquirers/${name}`, {
    summary: `Read what is agreed with ${name}`,
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: acquirerShape(name) },
    handle: ({ account }) => ({ status: 200, body: shownAt(account, name) }),
  }),
  patch(`/acquirers/${name}`, {
    summary: `Change what is agreed with ${name}`,
    description: "What is not given stays.",
    scope: "merchant",
    nulls: true,
    input: settingsOf(name, ["active", ...(required_settings[name] ?? [])]),
    output: { 200: acquirerShape(name) },
    handle: async ({ services, actor, account, input }) => {
      const changed = await changeAccount(services, actor, {
        id: account.id,
        change: { acquirer_settings: { [name]: input } },
      });
      return { status: 200, body: shownAt(changed, name) };
    },
    resume: (request) => shownNow(request, name),
  }),
];

export const acquirerEndpoints: readonly Endpoint[] = [
  get("/acquirers", {
    summary: "Read what is agreed with all acquirers",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: AcquirerSettingsShape },
    handle: ({ account }) => ({ status: 200, body: allAcquirerSettings(account.settings.acquirer_settings) }),
  }),
  ...acquirer_names.flatMap(endpointsFor),
  post("/acquirers/:acquirer/test", {
    summary: "Test whether an acquirer knows the merchant",
    description: `For ${testable_acquirers.join(", ")}. Moves no money; where it fails the details say why.`,
    scope: "merchant",
    words: { acquirer: testable_acquirers },
    input: Type.Object({}),
    output: { 200: AcquirerTestShape },
    handle: async ({ services, account, path }) => ({
      status: 200,
      body: await testAcquirer(services, account.settings, wordIn(path, "acquirer", testable_acquirers)),
    }),
  }),
];
