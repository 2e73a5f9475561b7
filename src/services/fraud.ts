// An account's rule sets against fraud: making and changing them, and what they say of an attempt to pay.

import { isDeepStrictEqual } from "node:util";
import {
  type FraudRuleset,
  factsOf,
  judge,
  system_ids_from,
  system_rulesets,
  type Verdict,
  wrongWith,
} from "../domain/fraud-rules.ts";
import { notAuthorized, notFound, Refused } from "../domain/refusal.ts";
import type { Transaction } from "../domain/transaction.ts";
import { writeActivity } from "../storage/activity.ts";
import { type Db, lockAccount } from "../storage/directory.ts";
import { deleteFraudRuleset, fraudRulesetById, fraudRulesetsOf, putFraudRuleset } from "../storage/fraud-rulesets.ts";
import type { Choice } from "./acquiring.ts";
import { activity, differences } from "./activity.ts";
import type { GivenCard } from "./cards.ts";
import { changing } from "./changing.ts";
import type { Actor, Services } from "./services.ts";

type Attempt = {
  readonly transaction: Transaction;
  readonly choice: Pick<Choice, "test_mode">;
  readonly card: GivenCard;
  /** Minor units. */
  readonly amount: number;
  readonly customer_ip?: string | undefined;
};

/** What the account's rule sets and the system's say of this attempt. */
export async function verdictOn(
  { directory }: Services,
  { transaction, choice, card, amount, customer_ip }: Attempt,
): Promise<Verdict> {
  const { account_id, currency, operations, body } = transaction;
  const { invoice_address, shipping_address } = body;
  const metadata = { ...body.metadata, ...card.metadata, ...(customer_ip && { customer_ip }) };
  const { test_mode } = choice;
  const facts = factsOf({ amount, currency, metadata, test_mode, invoice_address, shipping_address, operations });
  return judge([...(await directory.fraudRulesets(account_id)), ...system_rulesets], facts);
}

// All of them are looked at on every authorization. With the system's they fit on one page of a list.
const rulesets_max = 90;

/** The account's own, then the system's. */
export const listFraudRulesets = async ({ pool }: Services, account_id: number): Promise<FraudRuleset[]> => [
  ...(await fraudRulesetsOf(pool, account_id)),
  ...system_rulesets,
];

type Key = { readonly account_id: number; readonly id: number };

/** One of the account's own or of the system's. Throws 404. */
export async function findFraudRuleset({ pool }: Services, key: Key): Promise<FraudRuleset> {
  return system_rulesets.find(({ id }) => id === key.id) ?? read(pool, key);
}

async function read(db: Db, key: Key): Promise<FraudRuleset> {
  if (key.id >= system_ids_from) {
    const known = system_rulesets.some(({ id }) => id === key.id);
    throw known ? notAuthorized("The system's rule sets do not change") : notFound("FraudRuleset", key.id);
  }
  const ruleset = await fraudRulesetById(db, key);
  if (ruleset === null) throw notFound("FraudRuleset", key.id);
  return ruleset;
}

type Wanted = Omit<FraudRuleset, "id">;

function mustMakeSense({ filter_rules = [] }: Partial<Wanted>): void {
  for (const rule of filter_rules) {
    const wrong = wrongWith(rule);
    if (wrong !== null) throw new Refused("validation", wrong);
  }
}

const target = ({ id }: { readonly id: number }) => ({ type: "FraudRuleset", id });

type Noted = {
  readonly account_id: number;
  readonly action: "create" | "update" | "delete";
  readonly before: FraudRuleset | null;
  readonly after: FraudRuleset | null;
  readonly at: Date;
};

async function note(db: Db, actor: Actor, { account_id, action, before, after, at }: Noted): Promise<void> {
  const { id = 0 } = after ?? before ?? {};
  const changes = differences(before && said(before), after && said(after));
  await writeActivity(db, activity(actor, { target: { account_id, type: "FraudRuleset", id }, action, changes, at }));
}

/** What may be compared of it. */
const said = ({ id: _, filter_rules, ...rest }: FraudRuleset) => ({
  ...rest,
  filter_rules: filter_rules.map(({ metric_name, operator, value }) => `${metric_name} ${operator} ${value}`),
});

/** Throws 400 for rules that mean nothing, and when the account has too many already. */
export async function makeFraudRuleset(
  services: Services,
  actor: Actor,
  { account_id, wanted }: { readonly account_id: number; readonly wanted: Wanted },
): Promise<FraudRuleset> {
  mustMakeSense(wanted);
  const after = { id: await services.nextId(account_id), ...wanted };
  return changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, account_id);
      if ((await fraudRulesetsOf(db, account_id)).length >= rulesets_max) {
        const message = `Validation error: an account has at most ${rulesets_max} fraud rule sets`;
        throw new Refused("validation", {}, { message });
      }
      const at = services.clock.now();
      await putFraudRuleset(db, { account_id, ruleset: after, at });
      await note(db, actor, { account_id, action: "create", before: null, after, at });
      return after;
    },
    target,
  });
}

/** What is not given stays; rules are replaced together. */
export async function changeFraudRuleset(
  services: Services,
  actor: Actor,
  { change, ...key }: Key & { readonly change: Partial<Wanted> },
): Promise<FraudRuleset> {
  mustMakeSense(change);
  const { account_id } = key;
  return changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, account_id);
      const before = await read(db, key);
      const after = { ...before, ...change };
      if (isDeepStrictEqual(before, after)) return before;
      const at = services.clock.now();
      await putFraudRuleset(db, { account_id, ruleset: after, at });
      await note(db, actor, { account_id, action: "update", before, after, at });
      return after;
    },
    target,
  });
}

export const removeFraudRuleset = (services: Services, actor: Actor, key: Key): Promise<FraudRuleset> =>
  changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, key.account_id);
      const before = await read(db, key);
      await deleteFraudRuleset(db, key);
      const { account_id } = key;
      await note(db, actor, { account_id, action: "delete", before, after: null, at: services.clock.now() });
      return before;
    },
    target,
  });
