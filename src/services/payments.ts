// What a merchant does with a payment beside moving money: create it, change it, give it a link, report fraud, abort.

import { notFound, type Other, Refused } from "../domain/refusal.ts";
import {
  type Body,
  bucketOf,
  derive,
  type Operation,
  type OperationType,
  type Transaction,
  type TransactionType,
} from "../domain/transaction.ts";
import type { ActivityRow } from "../storage/rows.ts";
import { listTransactions, loadTransaction } from "../storage/transactions.ts";
import { activity, differences } from "./activity.ts";
import { ulid } from "./ids.ts";
import { stop } from "./operate.ts";
import { claimed, type Key, keyTaken } from "./operations.ts";
import type { Taken } from "./plans.ts";
import { linkUrl } from "./present.ts";
import type { Actor, Services } from "./services.ts";

// Other requests change the same row meanwhile; each try starts from its newest state.
export const tries_max = 100;

type New = {
  readonly account_id: number;
  readonly type: TransactionType;
  readonly order_id: string | null;
  readonly currency: string | null;
  readonly body: Body;
  readonly subscription_id?: number;
  readonly group_ids?: readonly number[];
};

/** A transaction without operations, with an id but not stored yet. */
export async function born(services: Services, wanted: New): Promise<Transaction> {
  const { account_id, type, order_id, currency, body, subscription_id, group_ids } = wanted;
  const at = services.clock.now();
  return {
    bucket: bucketOf(account_id),
    account_id,
    id: await services.nextId(account_id),
    ulid: ulid(at),
    type,
    order_id,
    currency,
    ...derive(type, []),
    test_mode: false,
    acquirer: null,
    fraud_suspected: false,
    subscription_id: subscription_id ?? null,
    group_ids: group_ids ?? null,
    body,
    link_token: null,
    due_at: null,
    last_operation_id: 0,
    revision: 0,
    created_at: at,
    updated_at: at,
    retented_at: null,
    operations: [],
  };
}

/**
 * Stores a new transaction, with the operation that it begins with where it has one. `taken`: what that takes of the plan.
 * Throws `order_id_taken`.
 */
export async function store(
  services: Services,
  actor: Actor,
  transaction: Transaction,
  { trail = [], taken }: { readonly trail?: readonly ActivityRow[]; readonly taken?: Taken } = {},
): Promise<void> {
  const { account_id, type, id, order_id, currency, state, created_at, operations } = transaction;
  const committed = await services.commit({
    transaction,
    operations,
    activity: [
      activity(actor, {
        target: { account_id, type, id },
        action: "create",
        changes: { order_id: [null, order_id], currency: [null, currency], state: [null, state] },
        at: created_at,
      }),
      ...trail,
    ],
    ...(taken && { uses: taken.uses }),
    idempotency: claimed(actor, transaction, operations[0]?.id ?? null),
  });
  if (committed === "conflict") {
    const other = order_id === null ? undefined : await holderOf(services, { account_id, type, order_id });
    throw new Refused(
      "order_id_taken",
      { order_id: [`already exists on another ${type.toLowerCase()}`] },
      { ...(other && { other }) },
    );
  }
  if (committed === "key_taken") throw keyTaken();
  if (committed === "plan_used_up") throw taken?.refused ?? new Error("only what takes of a plan can use it up");
}

/** The transaction that has this order id; null where none has. */
export async function findByOrderId(
  { pool }: Services,
  { account_id, type, order_id }: Holding,
): Promise<Transaction | null> {
  const filters = { order_id, timestamp: "created_at" } as const;
  const sorting = { sort_by: "id", sort_dir: "asc", limit: 1, offset: 0, after: null } as const;
  const [holder] = await listTransactions(pool, { account_id, type, filters, ...sorting });
  return holder ?? null;
}

/** What a merchant needs to go on with the transaction that has the order id. */
async function holderOf(services: Services, holding: Holding): Promise<Other | undefined> {
  const holder = await findByOrderId(services, holding);
  if (holder === null) return undefined;
  const link = holder.link_token === null ? null : linkUrl(holder, services.addresses);
  return { id: holder.id, state: holder.state, link };
}

type Holding = { readonly account_id: number; readonly type: TransactionType; readonly order_id: string };

/** A new transaction without operations. Throws `order_id_taken`. */
export async function create(services: Services, actor: Actor, wanted: New): Promise<Transaction> {
  const transaction = await born(services, wanted);
  await store(services, actor, transaction);
  return transaction;
}

export async function find(services: Services, key: Key): Promise<Transaction> {
  const transaction = await loadTransaction(services.pool, key);
  if (transaction === null) throw notFound(key.type, key.id);
  return transaction;
}

type Edit = (before: Transaction) => Partial<Omit<Transaction, "operations">>;

/** Changes what `edit` answers, with the change in the audit trail under `action`. */
export async function change(
  services: Services,
  actor: Actor,
  { key, action, edit }: { key: Key; action: string; edit: Edit },
): Promise<Transaction> {
  for (let tries = 0; tries < tries_max; tries++) {
    const before = await find(services, key);
    const at = services.clock.now();
    const after = { ...before, ...edit(before), revision: before.revision + 1, updated_at: at };
    const committed = await services.commit({
      transaction: after,
      activity: [activity(actor, { target: key, action, changes: differences(shown(before), shown(after)), at })],
      idempotency: claimed(actor, key, null),
    });
    if (committed === "done") return after;
    if (committed === "key_taken") throw keyTaken();
  }
  throw new Refused("unavailable", null, { retry_after_s: 1 });
}

/** What was erased takes nothing in again. */
export function mustHaveAPerson({ retented_at }: Transaction): void {
  if (retented_at !== null) throw new Refused("wrong_state", {});
}

/** What the audit trail compares. The link's token is what lets a shopper pay: only that it changed is kept. */
export const shown = ({ body, link_token, group_ids }: Transaction) => ({
  ...body,
  group_ids,
  link_token: link_token === null ? null : "[hidden]",
});

/** The earlier of the link's deadline and the payment's own, until it is paid. */
export function dueAt(before: Transaction, { deadline_at, link_deadline_at }: Body): Date | null {
  if (before.accepted) return before.due_at;
  const times = [deadline_at, link_deadline_at].flatMap((at) => (at === null ? [] : [Date.parse(at)]));
  return times.length === 0 ? null : new Date(Math.min(...times));
}

type Patch = {
  readonly key: Key;
  readonly body: Partial<Body>;
  readonly group_ids?: readonly number[];
  /** How given variables go into those there are; they replace them unless it is said. */
  readonly merge?: ((before: Body["variables"], given: Body["variables"]) => Body["variables"]) | null;
};

/**
 * What may be changed: everything while nothing is authorized; afterwards variables, shipping tracking, and what a
 * subscription is for and which groups it is in.
 */
export const patchTransaction = (
  services: Services,
  actor: Actor,
  { key, body, group_ids, merge }: Patch,
): Promise<Transaction> =>
  change(services, actor, {
    key,
    action: "update",
    edit: (before) => {
      mustHaveAPerson(before);
      const open = before.state === "initial" || before.state === "rejected";
      const variables = body.variables && merge ? merge(before.body.variables, body.variables) : body.variables;
      const wanted = { ...body, ...(variables && { variables }) };
      const allowed = open ? wanted : onlyAlways(before.body, wanted);
      const after = { ...before.body, ...allowed };
      return {
        body: after,
        ...(group_ids && { group_ids: group_ids.length === 0 ? null : group_ids }),
        due_at: dueAt(before, after),
      };
    },
  });

function onlyAlways(before: Body, { variables, shipping, description }: Partial<Body>): Partial<Body> {
  const tracked = shipping && {
    shipping: {
      ...(before.shipping ?? { method: null, company: null, amount: null, vat_rate: null }),
      tracking_number: shipping.tracking_number ?? null,
      tracking_url: shipping.tracking_url ?? null,
    },
  };
  return { ...(variables && { variables }), ...(description !== undefined && { description }), ...tracked };
}

/** Notes on the metadata that the merchant reports fraud. Nothing is sent to the acquirer. */
export const reportFraud = (
  services: Services,
  actor: Actor,
  { key, description, at }: { key: Key; description: string | null; at: string },
): Promise<Transaction> =>
  change(services, actor, {
    key,
    action: "fraud-report",
    edit: (before) => {
      mustHaveAPerson(before);
      if (before.state === "initial") throw new Refused("wrong_state", {});
      const report = { fraud_reported: true, fraud_report_description: description, fraud_reported_at: at };
      return { body: { ...before.body, metadata: { ...before.body.metadata, ...report } } };
    },
  });

export const operationOf = ({ operations, type, id }: Transaction, operation_id: number): Operation => {
  const operation = operations.find((o) => o.id === operation_id);
  if (operation === undefined) {
    throw new Refused("not_found", null, {
      message: `Not found: No Operation with id ${operation_id} on ${type} ${id}`,
    });
  }
  return operation;
};

const can_be_aborted: readonly OperationType[] = ["capture", "refund", "recurring", "cancel"];

/**
 * Stops a pending capture, refund, recurring or cancel; 428 in any other situation. The acquirer must promise first that
 * nothing came or will come of it.
 */
export async function abort(
  services: Services,
  actor: Actor,
  key: Key & { operation_id: number },
): Promise<Transaction> {
  const transaction = await find(services, key);
  const operation = operationOf(transaction, key.operation_id);
  if (!operation.pending || !can_be_aborted.includes(operation.type)) throw new Refused("cannot_abort");
  if (!(await stop(services, actor, { transaction, operation }))) throw new Refused("cannot_abort");
  return find(services, key);
}
