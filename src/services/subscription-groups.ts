// Groups of subscriptions that are charged together: made, changed, deleted, captured (reference: resources, section 9).

import { notFound, Refused, refusals } from "../domain/refusal.ts";
import type { Transaction } from "../domain/transaction.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  countGroups,
  deleteGroup,
  groupById,
  groupsOf,
  insertGroup,
  membersOf,
  type SubscriptionGroup,
  updateGroup,
} from "../storage/subscription-groups.ts";
import { takenOrderIds } from "../storage/transactions.ts";
import { activity, differences } from "./activity.ts";
import { conflict, inOneCommit } from "./changing.ts";
import { each } from "./each.ts";
import { perform } from "./operate.ts";
import { change, find } from "./payments.ts";
import type { Actor, Services } from "./services.ts";
import { type BegunRecurring, beginRecurring } from "./subscriptions.ts";

// Lists are read whole.
const groups_max = 1_000;
// As many members are worked on at once; database and acquirer are shared with everybody else.
const members_at_once = 32;
// Of a payment's order_id (reference: resources, section 0).
const order_id_length = { min: 4, max: 20 };

type Fields = Pick<SubscriptionGroup, "name" | "amount" | "currency" | "description">;
type Key = { readonly account_id: number; readonly id: number };

const target = ({ id }: { readonly id: number }) => ({ type: "SubscriptionGroup", id });

const trail = (actor: Actor, key: Key, action: string, [before, after]: [object | null, object | null], at: Date) =>
  activity(actor, {
    target: { account_id: key.account_id, ...target(key) },
    action,
    changes: differences(before as Record<string, unknown> | null, after as Record<string, unknown> | null),
    at,
  });

const shown = ({ name, amount, currency, description }: Fields) => ({ name, amount, currency, description });

/** Throws 409 when the account has as many groups as it may. */
export async function createGroup(
  services: Services,
  actor: Actor,
  { account_id, fields }: { account_id: number; fields: Fields },
): Promise<SubscriptionGroup> {
  const at = services.clock.now();
  const group = { id: await services.nextId(account_id), account_id, ...fields, created_at: at };
  return inOneCommit(services, actor, {
    target,
    work: async (db) => {
      if ((await countGroups(db, account_id)) >= groups_max) throw conflict(`at most ${groups_max} groups`);
      await insertGroup(db, group);
      await writeActivity(db, trail(actor, group, "create", [null, shown(group)], at));
      return group;
    },
  });
}

export async function findGroup(
  { pool }: Services,
  key: Key,
  which: "read" | "deleted too" = "read",
): Promise<SubscriptionGroup> {
  const group = await groupById(pool, key, which);
  if (group === null) throw notFound("SubscriptionGroup", key.id);
  return group;
}

export const changeGroup = (
  services: Services,
  actor: Actor,
  { key, fields }: { key: Key; fields: Partial<Omit<Fields, "currency">> },
): Promise<SubscriptionGroup> =>
  inOneCommit(services, actor, {
    target,
    work: async (db) => {
      const before = await groupById(db, key, "change");
      if (before === null) throw notFound("SubscriptionGroup", key.id);
      const after = { ...before, ...fields };
      await updateGroup(db, after);
      const at = services.clock.now();
      await writeActivity(db, trail(actor, key, "update", [shown(before), shown(after)], at));
      return after;
    },
  });

/** Its subscriptions stay, without the group. */
export async function removeGroup(services: Services, actor: Actor, key: Key): Promise<SubscriptionGroup> {
  const removed = await inOneCommit(services, actor, {
    target,
    work: async (db) => {
      const group = await groupById(db, key, "change");
      if (group === null) throw notFound("SubscriptionGroup", key.id);
      const at = services.clock.now();
      await deleteGroup(db, key, at);
      await writeActivity(db, trail(actor, key, "delete", [shown(group), null], at));
      return group;
    },
  });
  const members = (await membersOf(services.pool, key)).map(({ id }) => id);
  const unclaimed = { ...actor, claim: null };
  await each(members, {
    at_once: members_at_once,
    failed: (id, error) =>
      services.log.warn({ id, error: String(error) }, "a subscription still names a deleted group"),
    work: (id) =>
      change(services, unclaimed, {
        key: { account_id: key.account_id, type: "Subscription", id },
        action: "update",
        edit: ({ group_ids }) => {
          const others = (group_ids ?? []).filter((group_id) => group_id !== key.id);
          return { group_ids: others.length === 0 ? null : others };
        },
      }),
  });
  return removed;
}

/** Throws 400 where one is no group of the account, or charges another currency than the subscription's. */
export async function mustBeGroups(
  services: Services,
  { account_id, currency }: Pick<Transaction, "account_id" | "currency">,
  ids: readonly number[],
): Promise<void> {
  if (ids.length === 0) return;
  const groups = new Map((await groupsOf(services.pool, account_id)).map((group) => [group.id, group]));
  for (const id of ids) {
    const group = groups.get(id);
    if (group === undefined) throw new Refused("validation", { "group_ids[]": ["is invalid"] });
    if (group.currency !== currency) throw new Refused("validation", { "group_ids[]": ["has another currency"] });
  }
}

export type GroupResult = {
  readonly subscription_id: number;
  readonly status: number;
  readonly message: string | null;
};

/**
 * One auto-captured payment of the group's amount on every subscription in it, with a status of each. A payment's order_id is the prefix
 * and the subscription's id, so that a group is not captured twice under one prefix: what is there already is 409. What
 * was refused says why; the others go on at the acquirer after the answer.
 */
export async function captureGroup(
  services: Services,
  actor: Actor,
  { key, prefix, callback_url }: { key: Key; prefix: string; callback_url: string | null },
): Promise<GroupResult[]> {
  const group = await findGroup(services, key);
  const { account_id } = key;
  const members = (await membersOf(services.pool, key)).map(({ id }) => id);
  await inOneCommit(services, actor, {
    target,
    work: async (db) => {
      const at = services.clock.now();
      const changes = { order_id_prefix: prefix, subscriptions: members.length };
      await writeActivity(db, trail(actor, key, "capture", [null, changes], at));
      return group;
    },
  });
  const unclaimed = { ...actor, claim: null };
  const begun: BegunRecurring[] = [];
  const results = new Map<number, Omit<GroupResult, "subscription_id">>();
  await each(members, {
    at_once: members_at_once,
    failed: (id, error) => results.set(id, resultOf(services, error)),
    async work(id) {
      const subscription = await find(services, { account_id, type: "Subscription", id });
      const wanted = {
        amount: group.amount,
        fee: null,
        order_id: groupOrderId(prefix, id),
        options: { auto_capture: true },
        callback_url,
        text_on_statement: null,
        variables: {},
      };
      begun.push(await beginRecurring(services, unclaimed, subscription, wanted));
      results.set(id, { status: 202, message: null });
    },
  });
  // Goes on after the answer; `perform` never throws.
  void each(begun, { at_once: members_at_once, work: (one) => perform(services, one, one.card), failed: () => {} });
  return members.map((subscription_id) => ({
    subscription_id,
    ...(results.get(subscription_id) ?? { status: 500, message: null }),
  }));
}

/** What a lost process had begun under this prefix: 202 for each payment that is there. */
export async function groupCaptured({ pool }: Services, key: Key, prefix: string): Promise<GroupResult[]> {
  const { account_id } = key;
  const members = await membersOf(pool, key);
  const order_ids = new Map(members.map(({ id }) => [id, groupOrderId(prefix, id)]));
  const made = await takenOrderIds(pool, { account_id, type: "Payment", order_ids: [...order_ids.values()] });
  return members.map(({ id, state }) => {
    if (made.has(order_ids.get(id) ?? "")) return { subscription_id: id, status: 202, message: null };
    const { http, message } = refusals[state === "active" ? "unavailable" : "wrong_state"];
    return { subscription_id: id, status: http, message };
  });
}

/** The prefix and the subscription's id, made longer where it would be too short. Throws 400 where it is too long. */
export function groupOrderId(prefix: string, subscription_id: number): string {
  const order_id = prefix + String(subscription_id).padStart(order_id_length.min - prefix.length, "0");
  if (order_id.length <= order_id_length.max) return order_id;
  throw new Refused("validation", { order_id: ["must have length between 4 and 20"] });
}

/** One subscription's own refusal, as the others go on. What is unforeseen is logged. */
function resultOf({ log }: Services, error: unknown): Omit<GroupResult, "subscription_id"> {
  if (!(error instanceof Refused)) {
    log.error({ error: String(error) }, "a subscription of a group could not be captured");
    return { status: 500, message: "Internal server error" };
  }
  return { status: refusals[error.refusal.code].http, message: words(error) };
}

/** `order_id already exists on another payment`, or the refusal's message where no parameter is at fault. */
function words({ refusal, message }: Refused): string {
  const [first] = Object.entries(refusal.fields ?? {});
  return first === undefined ? message : `${first[0]} ${first[1][0] ?? ""}`;
}
