// What a repeated Idempotency-Key answers when the process of the first request was lost after its effect: the resource
// that the key's row names, as it is now.

import type { TransactionType } from "../domain/transaction.ts";
import { find } from "../services/payments.ts";
import type { Services } from "../services/services.ts";
import type { StoredKey } from "../storage/idempotency.ts";
import type { Caller } from "./authenticate.ts";
import type { Endpoint, Reply } from "./endpoint.ts";

type Resumed = { readonly stored: StoredKey; readonly caller: Caller; readonly endpoint: Endpoint };

/** Null when the effect cannot be found again. */
export async function resumedAnswer(services: Services, { stored, caller, endpoint }: Resumed): Promise<Reply | null> {
  if (endpoint.resume === undefined || stored.resource_id === null || caller.account === null) return null;
  const type = stored.resource_type as TransactionType;
  const transaction = await find(services, { account_id: caller.account.id, type, id: stored.resource_id });
  return endpoint.resume(transaction, { services, operation_id: stored.operation_id });
}
