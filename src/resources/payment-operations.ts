// What moves a payment's money: authorize, session, capture, refund, cancel, renew; and reading and aborting its
// operations, and reporting fraud (reference: resources 7.7 to 7.15, protocol section 5).

import { type TObject, Type } from "typebox";
import { type AnyRequest, type Effect, get, idIn, patch, post, type Reply, type Request } from "../api/endpoint.ts";
import { amountField, date, flag, integer, oneOf, text } from "../api/fields.ts";
import { CARD, EXTRAS, NIN, PERSON, THREEDS_V2, VAT_RATE } from "../api/groups.ts";
import { acquirer_names } from "../domain/acquirers.ts";
import type { Verdict } from "../domain/fraud-rules.ts";
import { Refused } from "../domain/refusal.ts";
import {
  derive,
  type Operation,
  type OperationType,
  pendingOperation,
  type Transaction,
} from "../domain/transaction.ts";
import { type Choice, chooseForCard, chooseForSession } from "../services/acquiring.ts";
import { cardIn, type GivenCard } from "../services/cards.ts";
import { verdictOn } from "../services/fraud.ts";
import { begin, perform } from "../services/operate.ts";
import type { Begun } from "../services/operations.ts";
import { abort, find, operationOf, reportFraud } from "../services/payments.ts";
import { presentOperation, presentPayment, wireTime } from "../services/present.ts";
import type { Services } from "../services/services.ts";
import { settledTransaction } from "../services/settled.ts";
import { FraudReportShape, OperationShape, PaymentShape } from "./payment-shape.ts";
import { affectedPayment, paymentKey } from "./payments.ts";

const Money = Type.Object(
  { amount: amountField(), vat_rate: Type.Optional(VAT_RATE), extras: Type.Optional(EXTRAS) },
  { examples: [{ amount: 1000 }] },
);

const paying = {
  amount: amountField(),
  person: Type.Optional(PERSON),
  auto_capture: Type.Optional(flag()),
  auto_capture_at: Type.Optional(date()),
  acquirer: Type.Optional(oneOf(acquirer_names)),
  autofee: Type.Optional(flag()),
  customer_ip: Type.Optional(text({ max: 45 })),
  extras: Type.Optional(EXTRAS),
};

const Authorize = Type.Object(
  {
    ...paying,
    card: Type.Optional(CARD),
    mobile_number: Type.Optional(text({ max: 20 })),
    nin: Type.Optional(NIN),
    vat_rate: Type.Optional(VAT_RATE),
    vat_amount: Type.Optional(integer({ min: 0, deprecated: true, description: "Was for Paii" })),
    threeds_v2: Type.Optional(THREEDS_V2),
    zero_auth: Type.Optional(flag()),
  },
  { examples: [{ amount: 1000, card: { number: "1000000000000008", expiration: "3112", cvd: "208" } }] },
);

const Session = Type.Object(paying, { examples: [{ amount: 1000 }] });

const operationUrl = ({ addresses }: Services, payment: Transaction, operation_id: number): string =>
  `${addresses.api_url}/payments/${payment.id}/operations/${operation_id}`;

/** 202: the payment with the new operation pending, everything else as it was before. */
function accepted(services: Services, payment: Transaction, operation: Operation): Reply {
  const before = derive(payment.operations.filter((o) => o !== operation));
  return {
    status: 202,
    body: presentPayment({ ...payment, ...before }, services.addresses),
    headers: { Location: operationUrl(services, payment, operation.id) },
  };
}

/** Goes on in the background, or waits where the caller asked to. */
async function answer({ services, synchronized }: AnyRequest, begun: Begun, card: GivenCard | null): Promise<Reply> {
  const performing = perform(services, begun, card?.data ?? null);
  if (!synchronized) return accepted(services, begun.transaction, begun.operation);
  await performing;
  const payment = await settledTransaction(services, begun.transaction);
  return { status: 200, body: presentPayment(payment ?? begun.transaction, services.addresses) };
}

/** As `answer`, for an operation that a lost process began: null where the caller waits for it and it is not over yet. */
async function resume(request: AnyRequest<"merchant">, effect: Effect): Promise<Reply | null> {
  const { services, synchronized } = request;
  const payment = await affectedPayment(request, effect);
  const operation = operationOf(payment, effect.operation_id ?? 0);
  const body = presentPayment(payment, services.addresses);
  if (synchronized) {
    const pending = pendingOperation(payment.operations);
    return pending === undefined || pending.type === "session" ? { status: 200, body } : null;
  }
  if (operation.pending) return accepted(services, payment, operation);
  return { status: 202, body, headers: { Location: operationUrl(services, payment, operation.id) } };
}

const callbackUrl = ({ callback_url, account }: AnyRequest<"merchant">): string | null =>
  callback_url ?? account.settings.callback_url;

/** Capture, refund, cancel and renew: they build on the authorization that is there. */
const following = <Input extends TObject>(verb: OperationType, summary: string, input: Input) =>
  post(`/payments/:id/${verb}`, {
    summary,
    scope: "merchant",
    asynchronous: true,
    input,
    output: { 200: PaymentShape, 202: PaymentShape },
    handle: async (request) => {
      const { amount = null, extras } = request.input as { amount?: number; extras?: Record<string, unknown> };
      const begun = await begin(request.services, request.actor, {
        ...paymentKey(request),
        verb,
        amount,
        options: extras === undefined ? {} : { extras },
        callback_url: callbackUrl(request),
      });
      return answer(request, begun, null);
    },
    resume,
  });

type PayingRequest = Request<typeof Authorize, "merchant"> | Request<typeof Session, "merchant">;

/** Begins an authorization or session at the acquirer that was chosen for it. */
async function pay(
  request: PayingRequest,
  verb: "authorize" | "session",
  { choice, card, fraud }: { choice: Choice; card: GivenCard | null; fraud?: Verdict },
) {
  const { services, actor, input } = request;
  const { amount, auto_capture, auto_capture_at, customer_ip, extras } = input;
  const zero_auth = "zero_auth" in input && input.zero_auth === true;
  const nin = "nin" in input ? input.nin : undefined;
  const begun = await begin(services, actor, {
    ...paymentKey(request),
    verb,
    amount,
    options: {
      ...(auto_capture && { auto_capture }),
      ...(auto_capture_at && { auto_capture_at }),
      ...(zero_auth && { zero_auth }),
      ...(extras && { extras }),
    },
    callback_url: callbackUrl(request),
    ...choice,
    fraud,
    three_d_secure_status: card?.data.three_d_secure?.status ?? null,
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
  return answer(request, begun, card);
}

export const paymentOperations = [
  post("/payments/:id/authorize", {
    summary: "Authorize a payment",
    scope: "merchant",
    asynchronous: true,
    input: Authorize,
    output: { 200: PaymentShape, 202: PaymentShape },
    handle: async (request) => {
      const { services, account, input } = request;
      const card = cardIn(services, account.id, input.card);
      const transaction = await find(services, paymentKey(request));
      const wanted = { settings: account.settings, transaction, acquirer: input.acquirer ?? null };
      const choice = chooseForCard(services, card.data, wanted);
      const { amount, customer_ip } = input;
      const fraud = await verdictOn(services, { transaction, card, choice, amount, customer_ip });
      return pay(request, "authorize", { choice, card, fraud });
    },
    resume,
  }),
  post("/payments/:id/session", {
    summary: "Start a session at the acquirer",
    description: "For methods that send the shopper elsewhere: the operation's `data` says where to.",
    scope: "merchant",
    asynchronous: true,
    input: Session,
    output: { 200: PaymentShape, 202: PaymentShape },
    handle: async (request) => {
      const { services, account, input } = request;
      const transaction = await find(services, paymentKey(request));
      const wanted = { settings: account.settings, transaction, acquirer: input.acquirer ?? null };
      return pay(request, "session", { choice: chooseForSession(services, wanted), card: null });
    },
    resume,
  }),
  following("capture", "Capture an authorized payment, in whole or in part", Money),
  following("refund", "Refund a captured payment, in whole or in part", Money),
  following("cancel", "Cancel an authorization", Type.Object({})),
  following("renew", "Renew an authorization", Type.Object({})),
  post("/payments/:id/fraud-report", {
    summary: "Report a payment as fraud",
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
      await reportFraud(services, actor, { key: paymentKey(request), description, at });
      return { status: 202, body: { description, created_at: at } };
    },
    resume: async (request, effect) => {
      const { metadata } = (await affectedPayment(request, effect)).body;
      const { fraud_report_description: description, fraud_reported_at: created_at } = metadata;
      return { status: 202, body: { description, created_at } };
    },
  }),
  get("/payments/:id/operations/:operation_id", {
    summary: "Read an operation",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: OperationShape },
    handle: async (request) => {
      const payment = await find(request.services, paymentKey(request));
      return {
        status: 200,
        body: presentOperation(operationOf(payment, idIn(request.path, "Operation", "operation_id"))),
      };
    },
  }),
  patch("/payments/:id/operations/:operation_id", {
    summary: "Abort a pending operation",
    description: "A pending capture, refund, recurring or cancel that has not moved money yet; 428 otherwise.",
    scope: "merchant",
    input: Type.Object({ pending: flag() }, { examples: [{ pending: false }] }),
    output: { 200: OperationShape },
    handle: async (request) => {
      const operation_id = idIn(request.path, "Operation", "operation_id");
      if (request.input.pending) throw new Refused("validation", { pending: ["does not have a valid value"] });
      const payment = await abort(request.services, request.actor, { ...paymentKey(request), operation_id });
      return { status: 200, body: presentOperation(operationOf(payment, operation_id)) };
    },
    resume: async (request, effect) => {
      const operation_id = idIn(request.path, "Operation", "operation_id");
      const payment = await affectedPayment(request, effect);
      return { status: 200, body: presentOperation(operationOf(payment, operation_id)) };
    },
  }),
];
