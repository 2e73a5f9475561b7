// What the operations of all kinds of transactions share: how they are begun, answered, read and aborted (reference:
// protocol section 5), where a card comes from, and fraud reports.

import { type TObject, Type } from "typebox";
import { type AnyRequest, type Effect, type Endpoint, get, idIn, patch, post, type Reply } from "../api/endpoint.ts";
import { flag, oneOf, text } from "../api/fields.ts";
import { CARD, EXTRAS, NIN, type NinInput, PERSON, VAT_RATE } from "../api/groups.ts";
import { acquirer_names } from "../domain/acquirers.ts";
import { Refused } from "../domain/refusal.ts";
import {
  derive,
  type Operation,
  type OperationType,
  pendingOperation,
  type Transaction,
} from "../domain/transaction.ts";
import { begin, perform } from "../services/operate.ts";
import type { Begun } from "../services/operations.ts";
import { type Paying, pay } from "../services/paying.ts";
import { abort, find, operationOf, reportFraud } from "../services/payments.ts";
import { presentOperationOf, presentTransaction, wireTime } from "../services/present.ts";
import { erase } from "../services/retention.ts";
import type { Services } from "../services/services.ts";
import { settledTransaction } from "../services/settled.ts";
import { affected, type Kind, keyOf, shown } from "./kinds.ts";
import { FraudReportShape } from "./transaction-shapes.ts";

type MerchantRequest = AnyRequest<"merchant">;

/** What every way to pay takes. */
export const acquiring = {
  acquirer: Type.Optional(oneOf(acquirer_names)),
  customer_ip: Type.Optional(text({ max: 45 })),
  extras: Type.Optional(EXTRAS),
};
/** What a card, or who stands for it, is known by. */
export const paid_with = {
  card: Type.Optional(CARD),
  mobile_number: Type.Optional(text({ max: 20 })),
  nin: Type.Optional(NIN),
  person: Type.Optional(PERSON),
  vat_rate: Type.Optional(VAT_RATE),
};

const operationUrl = ({ addresses }: Services, { folder }: Kind, { id }: Transaction, operation_id: number): string =>
  `${addresses.api_url}/${folder}/${id}/operations/${operation_id}`;

/** 202: the transaction with the new operation pending, everything else as it was before. */
function accepted(services: Services, kind: Kind, transaction: Transaction, operation: Operation): Reply {
  const before = derive(
    transaction.type,
    transaction.operations.filter((o) => o !== operation),
  );
  return {
    status: 202,
    body: presentTransaction({ ...transaction, ...before }, services.addresses),
    headers: { Location: operationUrl(services, kind, transaction, operation.id) },
  };
}

/** Goes on in the background, or waits where the caller asked to. `performing` never fails. */
export async function answer(
  request: AnyRequest,
  { kind, begun, performing }: { kind: Kind; begun: Begun; performing: Promise<void> },
): Promise<Reply> {
  const { services, synchronized } = request;
  if (!synchronized) return accepted(services, kind, begun.transaction, begun.operation);
  await performing;
  return shown(request, (await settledTransaction(services, begun.transaction)) ?? begun.transaction);
}

/** As `answer`, for an operation that a lost process began: null where the caller waits for it and it is not over yet. */
export const resumed = (kind: Kind) =>
  async function resume(request: MerchantRequest, effect: Effect): Promise<Reply | null> {
    const { services, synchronized } = request;
    const transaction = await affected(kind, request, effect);
    const operation = operationOf(transaction, effect.operation_id ?? 0);
    const now = shown(request, transaction);
    if (synchronized) {
      const pending = pendingOperation(transaction.operations);
      return pending === undefined || pending.type === "session" ? now : null;
    }
    if (operation.pending) return accepted(services, kind, transaction, operation);
    return { ...now, status: 202, headers: { Location: operationUrl(services, kind, transaction, operation.id) } };
  };

export const callbackUrl = ({ callback_url, account }: MerchantRequest): string | null =>
  callback_url ?? account.settings.callback_url;

/** Capture, refund, cancel and renew: they build on the authorization that is there. */
export const following = (kind: Kind, verb: OperationType, summary: string, input: TObject): Endpoint =>
  post(`/${kind.folder}/:id/${verb}`, {
    summary,
    scope: "merchant",
    charges: verb === "capture" || verb === "renew",
    asynchronous: true,
    input,
    output: { 200: kind.shape, 202: kind.shape },
    handle: async (request) => {
      const { amount = null, extras } = request.input as { amount?: number; extras?: Record<string, unknown> };
      const begun = await begin(request.services, request.actor, {
        ...keyOf(kind, request),
        verb,
        amount,
        options: extras === undefined ? {} : { extras },
        callback_url: callbackUrl(request),
      });
      return answer(request, { kind, begun, performing: perform(request.services, begun, null) });
    },
    resume: resumed(kind),
  });

/** Pays from this source, and answers as the caller asked to. */
export async function paid(
  request: MerchantRequest,
  { kind, nin, ...paying }: Omit<Paying, "key" | "callback_url"> & { readonly kind: Kind; readonly nin?: NinInput },
): Promise<Reply> {
  const { services, actor } = request;
  const nin_known = nin && {
    nin_number: nin.number ?? null,
    nin_country_code: nin.country_code ?? null,
    nin_gender: nin.gender ?? null,
  };
  const { begun, performing } = await pay(services, actor, {
    ...paying,
    key: keyOf(kind, request),
    callback_url: callbackUrl(request),
    ...(nin_known && { metadata: nin_known }),
  });
  return answer(request, { kind, begun, performing });
}

export const fraudReportOf = (kind: Kind): Endpoint =>
  post(`/${kind.folder}/:id/fraud-report`, {
    summary: `Report ${kind.name} as fraud`,
    scope: "merchant",
    input: Type.Object(
      { description: Type.Optional(text({ max: 1000 })) },
      { examples: [{ description: "Stolen card" }] },
    ),
    output: { 202: FraudReportShape },
    handle: async (request) => {
      const { services, actor, input } = request;
      const at = wireTime(services.clock.now());
      const description = input.description ?? null;
      await reportFraud(services, actor, { key: keyOf(kind, request), description, at });
      return { status: 202, body: { description, created_at: at } };
    },
    resume: async (request, effect) => {
      const { metadata } = (await affected(kind, request, effect)).body;
      const { fraud_report_description: description, fraud_reported_at: created_at } = metadata;
      return { status: 202, body: { description, created_at } };
    },
  });

export const eraseOf = (kind: Kind): Endpoint =>
  post(`/${kind.folder}/:id/erase`, {
    summary: `Erase what tells of a person from ${kind.name}`,
    description:
      "Names, addresses, IP, nin, variables and the link go, here and in callbacks and activity; amounts stay. For good.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: kind.shape },
    handle: async (request) => shown(request, await erase(request.services, request.actor, keyOf(kind, request))),
    resume: async (request, effect) => shown(request, await affected(kind, request, effect)),
  });

export const operationReadOf = (kind: Kind): Endpoint =>
  get(`/${kind.folder}/:id/operations/:operation_id`, {
    summary: `Read an operation of ${kind.name}`,
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: kind.operation_shape },
    handle: async (request) => {
      const transaction = await find(request.services, keyOf(kind, request));
      const operation = operationOf(transaction, idIn(request.path, "Operation", "operation_id"));
      return { status: 200, body: presentOperationOf(kind.type, operation) };
    },
  });

export const operationAbortOf = (kind: Kind): Endpoint =>
  patch(`/${kind.folder}/:id/operations/:operation_id`, {
    summary: `Abort a pending operation of ${kind.name}`,
    description: "A pending capture, refund, recurring or cancel that has not moved money yet; 428 otherwise.",
    scope: "merchant",
    input: Type.Object({ pending: flag() }, { examples: [{ pending: false }] }),
    output: { 200: kind.operation_shape },
    handle: async (request) => {
      const operation_id = idIn(request.path, "Operation", "operation_id");
      if (request.input.pending) throw new Refused("validation", { pending: ["does not have a valid value"] });
      const transaction = await abort(request.services, request.actor, { ...keyOf(kind, request), operation_id });
      return { status: 200, body: presentOperationOf(kind.type, operationOf(transaction, operation_id)) };
    },
    resume: async (request, effect) => {
      const operation_id = idIn(request.path, "Operation", "operation_id");
      const transaction = await affected(kind, request, effect);
      return { status: 200, body: presentOperationOf(kind.type, operationOf(transaction, operation_id)) };
    },
  });
