// Fees and what decides between acquirers: a merchant's formulas, the fee on an amount, which acquirer is cheapest, and the
// order of acquirers that the merchant wants instead.

import { type AcquirerName, acquirer_names } from "../domain/acquirers.ts";
import { isoDivisor } from "../domain/currency.ts";
import { type Fee, feeOn, parseFormula, wrongWithFormula } from "../domain/fee-formula.ts";
import {
  brandAt,
  type FeeCard,
  type FormulaInForce,
  formulaInForce,
  formulaKey,
  type Method,
  mayAddFee,
  methodNamed,
  methodsFor,
  methodsOf,
  type OwnFormulas,
} from "../domain/fees.ts";
import type { Metadata } from "../domain/metadata.ts";
import { amount_max } from "../domain/money.ts";
import { Refused } from "../domain/refusal.ts";
import type { Transaction } from "../domain/transaction.ts";
import { writeActivity } from "../storage/activity.ts";
import { lockAccount } from "../storage/directory.ts";
import { deleteFormula, formulasOf, type Priority, priorityOf, putFormula, putPriority } from "../storage/fees.ts";
import { activity, differences } from "./activity.ts";
import { inOneCommit } from "./changing.ts";
import type { Actor, Services } from "./services.ts";

// Every acquirer with all of its methods, and some countries; who has more calculates fees elsewhere.
const own_formulas_max = 500;

/** An acquirer with one of the methods that it offers. */
export type Priced = { readonly acquirer: AcquirerName; readonly method: Method };
type OfAccount = Priced & { readonly account_id: number };

/** The FeeFormula object (reference: objects, section 12). */
export type FeeFormula = FormulaInForce & { readonly acquirer: AcquirerName; readonly payment_method: string };

async function ownFormulas({ pool }: Pick<Services, "pool">, account_id: number): Promise<OwnFormulas> {
  const rows = await formulasOf(pool, account_id);
  return new Map(rows.map(({ acquirer, payment_method, formula }) => [formulaKey(acquirer, payment_method), formula]));
}

const inForce = (own: OwnFormulas, { acquirer, method }: Priced): FeeFormula => {
  const { formula, standard } = formulaInForce(own, acquirer, method);
  return { acquirer, payment_method: method.name, formula, standard };
};

/** The formulas in force for an account, by acquirer and method: of every method that these acquirers offer, and its own. */
export async function listFormulas(
  services: Services,
  account_id: number,
  wanted: (acquirer: AcquirerName, has_own: boolean) => boolean,
): Promise<FeeFormula[]> {
  const own = await ownFormulas(services, account_id);
  return acquirer_names.flatMap((acquirer) => {
    const prefix = formulaKey(acquirer, "");
    const written = [...own.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    if (!wanted(acquirer, written.length > 0)) return [];
    const names = new Set([...methodsOf(acquirer), ...written]);
    return [...names].sort().flatMap((name) => {
      const method = methodNamed(acquirer, name);
      return method === null ? [] : [inForce(own, { acquirer, method })];
    });
  });
}

export const formulaFor = async (services: Services, { account_id, ...priced }: OfAccount): Promise<FeeFormula> =>
  inForce(await ownFormulas(services, account_id), priced);

/** Writes the merchant's own formula. Throws 400 for one that cannot be read, or is nothing that anybody could mean. */
export async function setFormula(
  services: Services,
  actor: Actor,
  { account_id, acquirer, method, formula }: OfAccount & { readonly formula: string },
): Promise<FeeFormula> {
  const wrong = wrongWithFormula(formula);
  if (wrong !== null) throw new Refused("validation", { formula: [wrong] });
  const new_id = await services.nextId(account_id);
  await inOneCommit(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      await lockAccount(db, account_id);
      const rows = await formulasOf(db, account_id);
      const before = rows.find((row) => row.acquirer === acquirer && row.payment_method === method.name);
      if (before === undefined && rows.length >= own_formulas_max) {
        throw new Refused("validation", { formula: [`may be written for at most ${own_formulas_max} methods`] });
      }
      if (before?.formula === formula) return before.id;
      const id = before?.id ?? new_id;
      const payment_method = method.name;
      await putFormula(db, { account_id, acquirer, payment_method, id, formula, at });
      const named = { acquirer, payment_method };
      const changes = differences(before === undefined ? null : { ...named, formula: before.formula }, {
        ...named,
        formula,
      });
      const action = before === undefined ? "create" : "update";
      const target = { account_id, type: "FeeFormula", id };
      await writeActivity(db, activity(actor, { target, action, changes, at }));
      return id;
    },
    target: (id) => ({ type: "FeeFormula", id }),
  });
  return formulaFor(services, { account_id, acquirer, method });
}

/** Takes the merchant's own formula away: the standard one holds again. Does nothing where there is none. */
export async function resetFormula(
  services: Services,
  actor: Actor,
  { account_id, acquirer, method }: OfAccount,
): Promise<void> {
  const payment_method = method.name;
  await inOneCommit(services, actor, {
    work: async (db) => {
      await lockAccount(db, account_id);
      const rows = await formulasOf(db, account_id);
      const before = rows.find((row) => row.acquirer === acquirer && row.payment_method === payment_method);
      if (before === undefined) return account_id;
      const { id, formula } = before;
      await deleteFormula(db, { account_id, acquirer, payment_method });
      const changes = differences({ acquirer, payment_method, formula }, null);
      const target = { account_id, type: "FeeFormula", id };
      const at = services.clock.now();
      await writeActivity(db, activity(actor, { target, action: "delete", changes, at }));
      return id;
    },
    target: (id) => ({ type: "FeeFormula", id }),
  });
}

/** An amount in minor units; `currency` where it is known: there is no half króna. */
type Charge = { readonly amount: number; readonly currency?: string | null | undefined };

function feeBy(formula: string, { amount, currency }: Charge): Fee {
  const parsed = parseFormula(formula);
  if ("wrong" in parsed) return parsed;
  return feeOn(parsed.formula, amount, currency ? isoDivisor(currency) : 1);
}

/** The CalculatedFee object. Throws 400 for an amount on which the formula makes no fee, or one too large to be charged. */
function calculated({ acquirer, payment_method, formula }: FeeFormula, { amount, currency }: Charge) {
  const made = feeBy(formula, { amount, currency });
  if ("wrong" in made) throw new Refused("validation", { formula: [made.wrong] });
  const total = amount + made.fee;
  if (total > amount_max) throw new Refused("validation", { amount: ["is invalid"] });
  return { acquirer, payment_method, formula, amount, fee: made.fee, total };
}

export const calculateFee = async (
  services: Services,
  { account_id, acquirer, method, ...charge }: OfAccount & Charge,
) => calculated(await formulaFor(services, { account_id, acquirer, method }), charge);

/** What this acquirer calls payment with such a card; null when it has no name for it. */
function pricedCard(acquirer: string, { brand, country }: FeeCard, own: OwnFormulas): Priced | null {
  const name = acquirer_names.find((known) => known === acquirer);
  if (name === undefined) return null;
  const names = methodsFor(brandAt(name, brand), country);
  const closest = names.find((method) => own.has(formulaKey(name, method))) ?? names.at(-1) ?? "";
  const method = methodNamed(name, closest);
  return method === null ? null : { acquirer: name, method };
}

type CardCharge = Charge & { readonly account_id: number; readonly card: FeeCard };

/** The fee for a card at an acquirer, by the closest formula: the issuing country's, else the brand's. */
export async function calculateCardFee(
  services: Services,
  { account_id, acquirer, card, ...charge }: CardCharge & { readonly acquirer: string },
) {
  const own = await ownFormulas(services, account_id);
  const priced = pricedCard(acquirer, card, own);
  if (priced === null) throw new Refused("validation", { acquirer: ["is invalid"] });
  return calculated(inForce(own, priced), charge);
}

type Paying = {
  readonly wanted: boolean;
  readonly transaction: Pick<Transaction, "account_id" | "currency">;
  readonly acquirer: string;
  readonly amount: number;
};

/**
 * The fee that auto-fee adds to the amount: null where it is not wanted, 0 where the card is protected from it, as far as
 * its metadata tells. Throws 400 when amount and fee together are too large.
 */
export async function cardAutoFee(
  services: Services,
  { wanted, transaction, acquirer, amount }: Paying,
  metadata: Metadata,
): Promise<number | null> {
  if (!wanted) return null;
  const country = typeof metadata.country === "string" ? metadata.country : null;
  if (!mayAddFee({ corporate: metadata.corporate === true, country })) return 0;
  const { account_id, currency } = transaction;
  const card = { brand: String(metadata.brand), country };
  return (await calculateCardFee(services, { account_id, acquirer, card, amount, currency })).fee;
}

/**
 * Of several acquirers that can, the one that the merchant's priority names first; else the one with the lowest fee; of
 * equals the first (states, section 4).
 */
export async function preferred(
  services: Services,
  { account_id, card, ...charge }: CardCharge,
  candidates: readonly string[],
): Promise<string | undefined> {
  if (candidates.length < 2) return candidates[0];
  const [own, priority] = await Promise.all([ownFormulas(services, account_id), priorityOf(services.pool, account_id)]);
  // Visa/Dankort cards are looked up as both.
  const brands = new Set(candidates.map((acquirer) => brandAt(acquirer, card.brand)));
  const methods = [...brands].map((brand) => methodsFor(brand, card.country));
  const closest_first = [...methods.map(([name = ""]) => name), ...methods.flatMap((names) => names.slice(1))];
  const wished = closest_first.flatMap((name) => priority[name] ?? []).find((name) => candidates.includes(name));
  if (wished !== undefined) return wished;

  const fees = candidates.map((acquirer) => {
    const priced = pricedCard(acquirer, card, own);
    const made = priced === null ? null : feeBy(inForce(own, priced).formula, charge);
    return made !== null && "fee" in made ? made.fee : Number.POSITIVE_INFINITY;
  });
  return candidates[fees.indexOf(Math.min(...fees))];
}

/** Payment method -> acquirers, the first choice first. */
export const readPriority = ({ pool }: Services, account_id: number): Promise<Priority> => priorityOf(pool, account_id);

/** Replaces the whole order. */
export async function replacePriority(
  services: Services,
  actor: Actor,
  { account_id, priority }: { readonly account_id: number; readonly priority: Priority },
): Promise<Priority> {
  await inOneCommit(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      await lockAccount(db, account_id);
      const before = await priorityOf(db, account_id);
      const changes = differences(before, priority);
      if (Object.keys(changes).length === 0) return account_id;
      await putPriority(db, { account_id, priority, at });
      const target = { account_id, type: "PaymentMethodPriority", id: account_id };
      await writeActivity(db, activity(actor, { target, action: "update", changes, at }));
      return account_id;
    },
    target: (id) => ({ type: "PaymentMethodPriority", id }),
  });
  return readPriority(services, account_id);
}
