// What the operations of all kinds of transactions share: how they are begun, answered, read and aborted (reference:
// protocol section 5), where a card comes from, and fraud reports.

import { type TObject, Type } from "typebox";
import { type AnyRequest, type Effect, type Endpoint, get, idIn, patch, post, type Reply } from "../api/endpoint.ts";
import { flag, oneOf, text } from "../api/fields.ts";
import { CARD, type CardInput, EXTRAS, NIN, type NinInput, PERSON, VAT_RATE } from "../api/groups.ts";
import { acquirer_names } from "../domain/acquirers.ts";
import type { Card } from "../domain/card.ts";
import { Refused } from "../domain/refusal.ts";
import {
  derive,
  type Operation,
  type OperationOptions,
  type OperationType,
  pendingOperation,
  type Transaction,
} from "../domain/transaction.ts";
import { type Choice, chooseForCard } from "../services/acquiring.ts";
import { cardIn, type GivenCard, savedCardIn } from "../services/cards.ts";
import { cardAutoFee } from "../services/fees.ts";
import { verdictOn } from "../services/fraud.ts";
import { begin, perform } from "../services/operate.ts";
import type { Begun } from "../services/operations.ts";
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

/** Where the money comes from or goes to. `token`: of the saved card that it is, to be spent; `card` is null where it is no good. */
export type Source = {
  readonly transaction: Transaction;
  readonly choice: Omit<Choice, "acquirer"> & { readonly acquirer: string | null };
  readonly card: GivenCard | null;
  readonly token: string | null;
  /** What the acquirer's fee adds to the amount, in minor units; null where it adds none. */
  readonly fee: number | null;
};

type CardAsked = {
  readonly card?: CardInput;
  readonly acquirer?: string;
  /** Minor units: acquirers' fees on it are compared. */
  readonly amount?: number;
  /** On payments: the acquirer's fee is added to the amount. */
  readonly autofee?: boolean;
};

/** The card that was given, or the saved one that a token stands for, with the acquirer that takes it. Throws 400. */
export async function cardSource(
  request: MerchantRequest,
  { kind, verb, input }: { kind: Kind; verb: "authorize" | "credit"; input: CardAsked },
): Promise<Source> {
  const { services, account } = request;
  const token = input.card?.number === undefined ? (input.card?.token ?? null) : null;
  const transaction = await find(services, keyOf(kind, request));
  const card =
    token === null ? cardIn(services, account.id, input.card) : await savedCardIn(services, account.id, token);
  if (card === null) return { transaction, choice: transaction, card, token, fee: null };
  const { settings } = account;
  const { amount } = input;
  const wanted = { settings, transaction, acquirer: input.acquirer ?? null, verb, ...(amount && { amount }) };
  const choice = await chooseForCard(services, card.data, wanted);
  const has_fee = kind.type === "Payment" && (input.autofee ?? settings.autofee);
  const autofee = { wanted: has_fee, transaction, acquirer: choice.acquirer, amount: amount ?? 0 };
  return { transaction, choice, card, token, fee: await cardAutoFee(services, autofee, card.metadata) };
}

type Paying = {
  readonly kind: Kind;
  readonly verb: "authorize" | "session" | "credit";
  /** Null where nothing is moved. */
  readonly amount: number | null;
  readonly source: Source;
  readonly options: OperationOptions;
  readonly customer_ip: string | undefined;
  readonly nin?: NinInput | undefined;
  /** To be saved in the vault. */
  readonly keep?: Card;
};

/** Begins an authorization, session or credit at the acquirer that was chosen for it. */
export async function pay(request: MerchantRequest, paying: Paying): Promise<Reply> {
  const { services, actor } = request;
  const { kind, verb, amount, source, options, customer_ip, nin, keep } = paying;
  const { transaction, card, token, choice, fee } = source;
  const fraud =
    verb === "authorize" && card !== null
      ? await verdictOn(services, { transaction, card, choice, amount: amount ?? 0, customer_ip })
      : undefined;
  const begun = await begin(services, actor, {
    ...keyOf(kind, request),
    verb,
    amount: amount === null ? null : amount + (fee ?? 0),
    ...(kind.type === "Payment" && { fee }),
    options,
    callback_url: callbackUrl(request),
    acquirer: choice.acquirer,
    test_mode: choice.test_mode,
    three_d_secure_status: card?.data.three_d_secure?.status ?? null,
    ...(keep && { keep }),
    ...(fraud && { fraud }),
    metadata: {
      ...card?.metadata,
      ...(customer_ip && { customer_ip }),
      ...(nin && {
        nin_number: nin.number ?? null,
        nin_country_code: nin.country_code ?? null,
        nin_gender: nin.gender ?? null,
      }),
    },
  });
  const performing = perform(services, begun, card?.data ?? null, token);
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
