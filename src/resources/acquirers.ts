// What an account has agreed with each acquirer (reference: resources, section 6): the same settings that PATCH /account
// takes, an acquirer at a time. The paths are spelled out, so that each can be permitted and has a shape of its own.

import { type TSchema, Type } from "typebox";
import { type AnyRequest, type Endpoint, get, patch, post } from "../api/endpoint.ts";
import {
  acquirer_settings,
  allAcquirerSettings,
  default_settings,
  required_settings,
  type SettingKind,
} from "../domain/acquirer-settings.ts";
import { type AcquirerName, acquirer_names, testable_acquirers } from "../domain/acquirers.ts";
import { Refused } from "../domain/refusal.ts";
import { changeAccount } from "../services/accounts.ts";
import { testAcquirer } from "../services/acquirer-test.ts";
import type { Account } from "../services/directory.ts";
import { settingsOf } from "./account-shape.ts";

const shown_kinds: Readonly<Record<SettingKind, () => TSchema>> = {
  flag: () => Type.Boolean(),
  text: () => Type.String(),
  secret: () => Type.String(),
  integer: () => Type.Integer(),
  texts: () => Type.Array(Type.String()),
  given: () => Type.String(),
};

const or_null = (schema: TSchema) => Type.Union([schema, Type.Null()]);

const titles: Readonly<Partial<Record<AcquirerName, string>>> = {
  klarnapayments: "KlarnaPayments",
  mobilepay: "MobilePay",
  mobilepayonline: "MobilePayOnline",
  mobilepaysubscriptions: "MobilePaySubscriptions",
  paypal: "PayPal",
  viabill: "ViaBill",
};
const titleOf = (name: AcquirerName): string => titles[name] ?? name.charAt(0).toUpperCase() + name.slice(1);

const shapeOf = (name: AcquirerName) =>
  Type.Object(
    Object.fromEntries(
      Object.entries(acquirer_settings[name]).map(([member, kind]) => [
        member,
        member === "active" ? Type.Boolean() : or_null(shown_kinds[kind]()),
      ]),
    ),
    { title: `AcquirerSettings${titleOf(name)}` },
  );

const shapes = Object.fromEntries(acquirer_names.map((name) => [name, shapeOf(name)]));
const AcquirerSettingsShape = Type.Object(shapes, { title: "AcquirerSettings" });

const TestResultShape = Type.Object(
  { success: Type.Boolean(), message: Type.String(), currency: or_null(Type.String()) },
  { title: "AcquirerTestResult" },
);
const AcquirerTestShape = Type.Object(
  { success: Type.Boolean(), details: Type.Record(Type.String(), TestResultShape) },
  { title: "AcquirerTest" },
);

const shownAt = ({ settings }: Account, name: AcquirerName) => allAcquirerSettings(settings.acquirer_settings)[name];

const shownNow = async ({ services, account }: AnyRequest<"merchant">, name: AcquirerName) => ({
  status: 200 as const,
  body: shownAt(await services.directory.account(account.id), name),
});

/** Of the defaults those whose setting has no value yet. */
const unset = (defaults: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(defaults).filter(([name]) => (now[name] ?? null) === null));

const endpointsFor = (name: AcquirerName): Endpoint[] => [
  get(`/acquirers/${name}`, {
    summary: `Read what is agreed with ${name}`,
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: shapeOf(name) },
    handle: ({ account }) => ({ status: 200, body: shownAt(account, name) }),
  }),
  patch(`/acquirers/${name}`, {
    summary: `Change what is agreed with ${name}`,
    description: "What is not given stays.",
    scope: "merchant",
    nulls: true,
    input: settingsOf(name, ["active", ...(required_settings[name] ?? [])]),
    output: { 200: shapeOf(name) },
    handle: async ({ services, actor, account, input }) => {
      const changed = await changeAccount(services, actor, {
        id: account.id,
        change: ({ acquirer_settings: now }) => ({
          acquirer_settings: { [name]: { ...unset(default_settings[name] ?? {}, now[name] ?? {}), ...input } },
        }),
      });
      return { status: 200, body: shownAt(changed, name) };
    },
    resume: (request) => shownNow(request, name),
  }),
];

function testedIn({ acquirer }: Readonly<Record<string, string>>): AcquirerName {
  const name = testable_acquirers.find((one) => one === acquirer);
  if (name === undefined) throw new Refused("validation", { acquirer: ["does not have a valid value"] });
  return name;
}

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
    input: Type.Object({}),
    output: { 200: AcquirerTestShape },
    handle: async ({ services, account, path }) => ({
      status: 200,
      body: await testAcquirer(services, account.settings, testedIn(path)),
    }),
  }),
];
