// Which acquirer comes first for which payment method (reference: resources, section 14).

import { Type } from "typebox";
import { type AnyRequest, get, post, type Reply } from "../api/endpoint.ts";
import { json } from "../api/fields.ts";
import { acquirer_names } from "../domain/acquirers.ts";
import { methodNamed } from "../domain/fees.ts";
import { Refused } from "../domain/refusal.ts";
import { readPriority, replacePriority } from "../services/fees.ts";
import type { Priority } from "../storage/fees.ts";

const PriorityShape = Type.Object(
  { payment_method_priority: Type.Record(Type.String(), Type.Array(Type.String())) },
  { title: "PaymentMethodPriority" },
);

const name = "payment_method_priority";
const not_valid = "does not have a valid value";

/** Some acquirer's method, such as `visa` or `visa-dk`. */
const isMethod = (method: string): boolean => acquirer_names.some((acquirer) => methodNamed(acquirer, method) !== null);

/** In a form, lists may come as one value or with their numbers written out. */
function textsIn(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" && Object.keys(value).every((key) => /^\d{1,3}$/.test(key))
    ? Object.values(value)
    : null;
}

/** Throws 400 for methods and acquirers that there are not, and for an acquirer that does not offer the method. */
function priorityIn(given: Readonly<Record<string, unknown>>): Priority {
  const errors: Record<string, string[]> = {};
  const priority: Record<string, readonly string[]> = {};
  for (const [method, value] of Object.entries(given)) {
    // What is no method may be anything, and is not repeated.
    if (!isMethod(method)) {
      errors[name] = [not_valid];
      continue;
    }
    const listed = textsIn(value) ?? [];
    const known = acquirer_names.filter((one) => listed.includes(one) && methodNamed(one, method) !== null);
    if (listed.length === 0 || known.length !== listed.length) errors[`${name}[${method}]`] = [not_valid];
    else priority[method] = listed.map(String);
  }
  if (Object.keys(errors).length > 0) throw new Refused("validation", errors);
  return priority;
}

const shown = async ({ services, account }: AnyRequest<"merchant">): Promise<Reply> => ({
  status: 200,
  body: { payment_method_priority: await readPriority(services, account.id) },
});

export const paymentMethodPriority = [
  get("/payment-method-priority", {
    summary: "Read which acquirer comes first for which payment method",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: PriorityShape },
    handle: shown,
  }),
  post("/payment-method-priority", {
    summary: "Say which acquirer comes first for which payment method",
    description:
      "Replaces all that was said before; `{}` says nothing. Of acquirers that are not named the cheapest is taken.",
    scope: "merchant",
    input: Type.Object(
      { payment_method_priority: json({ description: "Payment method -> acquirers, the first choice first" }) },
      { examples: [{ payment_method_priority: { visa: ["clearhaus", "nets"] } }] },
    ),
    output: { 200: PriorityShape },
    handle: async ({ services, actor, account, input }) => {
      const priority = priorityIn(input.payment_method_priority);
      const payment_method_priority = await replacePriority(services, actor, { account_id: account.id, priority });
      return { status: 200, body: { payment_method_priority } };
    },
    resume: shown,
  }),
];
