// What moves a payment's money: authorize, session, capture, refund, cancel, renew (reference: resources 7.7 to 7.15).

import { Type } from "typebox";
import { post } from "../api/endpoint.ts";
import { amountField, date, flag, integer } from "../api/fields.ts";
import { EXTRAS, PERSON, THREEDS_V2, VAT_RATE } from "../api/groups.ts";
import type { OperationOptions } from "../domain/transaction.ts";
import { cardSource, sessionSource } from "../services/paying.ts";
import { keyOf, payment } from "./kinds.ts";
import {
  acquiring,
  eraseOf,
  following,
  fraudReportOf,
  operationAbortOf,
  operationReadOf,
  paid,
  paid_with,
  resumed,
} from "./operations.ts";
import { PaymentShape } from "./transaction-shapes.ts";

const money = { amount: amountField(), extras: Type.Optional(EXTRAS) };
const Capture = Type.Object(money, { examples: [{ amount: 1000 }] });
const Refund = Type.Object({ ...money, vat_rate: Type.Optional(VAT_RATE) }, { examples: [{ amount: 1000 }] });

const paying = {
  amount: amountField(),
  person: Type.Optional(PERSON),
  auto_capture: Type.Optional(flag()),
  auto_capture_at: Type.Optional(date()),
  autofee: Type.Optional(flag()),
  ...acquiring,
};

const Authorize = Type.Object(
  {
    ...paying,
    ...paid_with,
    vat_amount: Type.Optional(integer({ min: 0, deprecated: true, description: "Was for Paii" })),
    threeds_v2: Type.Optional(THREEDS_V2),
    zero_auth: Type.Optional(flag()),
  },
  { examples: [{ amount: 1000, card: { number: "1000000000000008", expiration: "3112", cvd: "208" } }] },
);

const Session = Type.Object(paying, { examples: [{ amount: 1000 }] });

type Asked = {
  readonly auto_capture?: boolean;
  readonly auto_capture_at?: string;
  readonly zero_auth?: boolean;
  readonly extras?: Record<string, unknown>;
};

/** What settling needs to know; nothing that was not asked for. */
export const optionsOf = ({ auto_capture, auto_capture_at, zero_auth, extras }: Asked): OperationOptions => ({
  ...(auto_capture && { auto_capture }),
  ...(auto_capture_at && { auto_capture_at }),
  ...(zero_auth && { zero_auth }),
  ...(extras && { extras }),
});

export const paymentOperations = [
  post("/payments/:id/authorize", {
    summary: "Authorize a payment",
    scope: "merchant",
    charges: true,
    asynchronous: true,
    input: Authorize,
    output: { 200: PaymentShape, 202: PaymentShape },
    handle: async (request) => {
      const { input } = request;
      const { amount, customer_ip, nin } = input;
      const verb = "authorize";
      const source = await cardSource(request.services, {
        account: request.account,
        key: keyOf(payment, request),
        verb,
        ...input,
      });
      return paid(request, { kind: payment, verb, amount, source, options: optionsOf(input), customer_ip, nin });
    },
    resume: resumed(payment),
  }),
  post("/payments/:id/session", {
    summary: "Start a session at the acquirer",
    description: "For methods that send the shopper elsewhere: the operation's `data` says where to.",
    scope: "merchant",
    charges: true,
    asynchronous: true,
    input: Session,
    output: { 200: PaymentShape, 202: PaymentShape },
    handle: async (request) => {
      const { services, account, input } = request;
      const { amount, customer_ip } = input;
      const key = keyOf(payment, request);
      const source = await sessionSource(services, { account, key, acquirer: input.acquirer });
      return paid(request, { kind: payment, verb: "session", amount, source, options: optionsOf(input), customer_ip });
    },
    resume: resumed(payment),
  }),
  following(payment, "capture", "Capture an authorized payment, in whole or in part", Capture),
  following(payment, "refund", "Refund a captured payment, in whole or in part", Refund),
  following(payment, "cancel", "Cancel an authorization", Type.Object({})),
  following(payment, "renew", "Renew an authorization", Type.Object({})),
  fraudReportOf(payment),
  eraseOf(payment),
  operationReadOf(payment),
  operationAbortOf(payment),
];
