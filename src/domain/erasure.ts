// What retention erases of a transaction, and when it may: what tells of a person goes, what the books need stays (amounts,
// order id, card brand and last digits, country).

import type { Metadata } from "./metadata.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { type Body, type Operation, type OperationType, pendingOperation, type Transaction } from "./transaction.ts";

/** Of the metadata: who paid, from where, and by what the card could be found again. */
const personal_metadata = [
  "issued_to",
  "hash",
  "number",
  "customer_ip",
  "nin_number",
  "nin_country_code",
  "nin_gender",
  "fraud_report_description",
] as const;

/** Of the shipping: where the parcel went. */
const personal_shipping = ["tracking_number", "tracking_url"] as const;

type Plain = Readonly<Record<string, unknown>>;

/** The members that are there, emptied. */
function emptied<T extends Plain | null>(value: T, names: readonly string[]): T {
  if (value === null) return value;
  return { ...value, ...Object.fromEntries(names.filter((name) => name in value).map((name) => [name, null])) };
}

/** A body without a person. Its link goes as a whole: it holds an e-mail address, and nobody shall pay by it any more. */
export const erasedBody = (body: Body): Body => ({
  ...body,
  variables: {},
  shipping_address: null,
  invoice_address: null,
  shipping: emptied(body.shipping, personal_shipping),
  metadata: emptied<Metadata>(body.metadata, personal_metadata),
  link: null,
  link_deadline_at: null,
});

/** A transaction as a callback has told it, in whichever version, without a person. */
export function erasedTelling(told: Plain): Plain {
  const operations = Array.isArray(told.operations) ? told.operations : [];
  const cleared: Plain = {
    variables: {},
    shipping_address: null,
    invoice_address: null,
    shipping: emptied((told.shipping ?? null) as Plain | null, personal_shipping),
    metadata: emptied((told.metadata ?? null) as Plain | null, personal_metadata),
    link: null,
    operations: operations.map((operation: Plain) => ({ ...operation, data: {} })),
  };
  return { ...told, ...Object.fromEntries(Object.entries(cleared).filter(([name]) => name in told)) };
}

// Attributes of the audit trail are named after their members, nested ones with `_` between.
const personal_changes = new RegExp(
  `^(variables(_.*)?|(shipping|invoice)_address(_.*)?|link(_.*)?|shipping_(${personal_shipping.join("|")})|(metadata_)?(${personal_metadata.join("|")}))$`,
);
export const erased_value = "[erased]";

type Changes = Readonly<Record<string, readonly [unknown, unknown]>>;

/** Changes as they stand in the audit trail, of personal ones only that they happened; null: there are none. */
export function erasedChanges(changes: Changes): Changes | null {
  const personal = Object.keys(changes).filter((name) => personal_changes.test(name));
  if (personal.length === 0) return null;
  return { ...changes, ...Object.fromEntries(personal.map((name) => [name, [erased_value, erased_value] as const])) };
}

/** What may still be done once it is erased: money goes back, holds end. Nothing that would make it personal again. */
const after_erasure: readonly OperationType[] = ["refund", "cancel"];

export const closedByErasure = ({ retented_at }: Pick<Transaction, "retented_at">, verb: OperationType): boolean =>
  retented_at !== null && !after_erasure.includes(verb);

const isAskedAbout = ({ pending, check_at }: Operation): boolean => pending || check_at !== null;

/**
 * May it be erased on request? Not while something is pending, while money may still move (a hold that is neither captured
 * nor cancelled, a capture that is planned), or while a subscription or saved card is in use.
 */
export function decideErasure({ state, operations, accepted, due_at }: Transaction): Refusal | null {
  if (pendingOperation(operations) !== undefined) return refuse("operation_pending", {});
  const in_use = state === "new" || state === "active" || (accepted && due_at !== null);
  return in_use || operations.some(isAskedAbout) ? refuse("wrong_state", {}) : null;
}
