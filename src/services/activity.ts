// The audit trail: every change with who, what, before and after, in the commit of the change itself.

import { bucketOf } from "../domain/transaction.ts";
import type { ActivityRow } from "../storage/rows.ts";
import { ulid } from "./ids.ts";
import type { Actor } from "./services.ts";

type Target = { readonly account_id: number; readonly type: string; readonly id: number | null };
type Changes = ActivityRow["changes"];

export function activity(
  actor: Actor,
  entry: { target: Target; action: string; changes: Changes; at: Date },
): ActivityRow {
  const { target, action, changes, at } = entry;
  return {
    bucket: bucketOf(target.account_id),
    id: ulid(at),
    account_id: target.account_id,
    target_type: target.type,
    target_id: target.id,
    action,
    changes,
    user_id: actor.user_id,
    agreement_id: actor.agreement_id,
    extra: { path: actor.path, user: actor.name },
    created_at: at,
  };
}

type Plain = Readonly<Record<string, unknown>>;

// Never shown, not even in the audit trail: that they changed is enough.
const secret_names =
  /(^|_)(api_key|password|secret|token|private_key|refresh_token|access_token_subscription_key|ecommerce_subscription_key)$/;

/** `[before, after]` of each attribute that differs, nested names flattened with `_`. */
export function differences(before: Plain | null, after: Plain | null): Changes {
  const a = flatten(before ?? {});
  const b = flatten(after ?? {});
  const changes: Record<string, [unknown, unknown]> = {};
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const pair: [unknown, unknown] = [a[name] ?? null, b[name] ?? null];
    if (JSON.stringify(pair[0]) === JSON.stringify(pair[1])) continue;
    changes[name] = secret_names.test(name) ? ["[hidden]", "[hidden]"] : pair;
  }
  return changes;
}

function flatten(value: Plain, prefix = "", flat: Record<string, unknown> = {}): Record<string, unknown> {
  for (const [key, inner] of Object.entries(value)) {
    const name = prefix === "" ? key : `${prefix}_${key}`;
    if (inner !== null && typeof inner === "object" && !Array.isArray(inner) && !(inner instanceof Date)) {
      flatten(inner as Plain, name, flat);
    } else flat[name] = inner;
  }
  return flat;
}
