// Lists of transactions: the filters that all of them have (reference: TXFILTER), and how a page is read.

import { type Static, Type } from "typebox";
import type { AnyRequest, Reply } from "../api/endpoint.ts";
import { flag, integer, oneOf, onlyTrue, text, time } from "../api/fields.ts";
import { listReply, type PagingInput, type Sorting } from "../api/paging.ts";
import { acquirer_names } from "../domain/acquirers.ts";
import { Refused } from "../domain/refusal.ts";
import { spanOf } from "../services/days.ts";
import { presentTransaction } from "../services/present.ts";
import { type ListQuery, listTransactions } from "../storage/transactions.ts";
import type { Kind } from "./kinds.ts";
import { operations_size } from "./transaction-fields.ts";

export const sorting: Sorting<"id" | "order_id" | "created_at"> = {
  sorts: { id: "number", order_id: "text", created_at: "time" },
  sort_by: "id",
  sort_dir: "desc",
};

export const DateParts = Type.Object({
  year: Type.Optional(integer({ min: 1970, max: 9999 })),
  month: Type.Optional(integer({ min: 1, max: 12 })),
  day: Type.Optional(integer({ min: 1, max: 31 })),
  hour: Type.Optional(integer({ min: 0, max: 23 })),
  minute: Type.Optional(integer({ min: 0, max: 59 })),
});

/** Of what is authorized; payouts are not. */
export const fraud_suspected = Type.Optional(onlyTrue());

/** The filters that all lists of transactions have (reference: TXFILTER). */
export const transactionFilters = (states: readonly string[]) => ({
  id: Type.Optional(integer({ min: 1 })),
  order_id: Type.Optional(text()),
  state: Type.Optional(oneOf(states)),
  accepted: Type.Optional(flag()),
  acquirer: Type.Optional(oneOf(acquirer_names)),
  timestamp: Type.Optional(oneOf(["created_at", "updated_at"], { default: "created_at" })),
  min_time: Type.Optional(time({ description: "Inclusive; on the field that `timestamp` names" })),
  max_time: Type.Optional(time({ description: "Exclusive" })),
  date: Type.Optional(DateParts),
  operations_size,
});

type Filters = {
  readonly id?: number;
  readonly order_id?: string;
  readonly state?: string;
  readonly accepted?: boolean;
  readonly acquirer?: string;
  readonly fraud_suspected?: true;
  readonly timestamp?: string;
  readonly min_time?: string;
  readonly max_time?: string;
  readonly date?: Static<typeof DateParts>;
  readonly operations_size?: number;
};

/** What the database is asked for. Throws when parts of `date` are given without their larger parts. */
export function filtersOf(input: Filters, timezone: string): ListQuery["filters"] {
  const { id, order_id, state, accepted, acquirer, fraud_suspected, date, min_time, max_time } = input;
  const span = date === undefined ? null : spanIn(date, timezone);
  const starts = [...(min_time === undefined ? [] : [new Date(min_time)]), ...(span === null ? [] : [span.from])];
  const ends = [...(max_time === undefined ? [] : [new Date(max_time)]), ...(span === null ? [] : [span.to])];
  return {
    id,
    order_id,
    state,
    accepted,
    acquirer,
    fraud_suspected,
    timestamp: input.timestamp === "updated_at" ? "updated_at" : "created_at",
    min_time: starts.length === 0 ? undefined : new Date(Math.max(...starts.map(Number))),
    max_time: ends.length === 0 ? undefined : new Date(Math.min(...ends.map(Number))),
  };
}

function spanIn(date: Static<typeof DateParts>, timezone: string) {
  const names = ["year", "month", "day", "hour", "minute"] as const;
  const given = names.filter((name) => date[name] !== undefined);
  const missing = names.slice(0, given.length).find((name) => date[name] === undefined);
  if (missing !== undefined) throw new Refused("validation", { [`date[${missing}]`]: ["is missing"] });
  if (date.year === undefined) return null;
  const { year, month = 1, day = 1 } = date;
  // A 31st of February would be a day in March.
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate())
    throw new Refused("validation", { "date[day]": ["is invalid"] });
  return spanOf({ ...date, year }, timezone);
}

type Read = {
  readonly kind: Kind;
  readonly input: Filters & PagingInput<ListQuery["sort_by"]>;
  /** What only this list is asked for. */
  readonly more?: Partial<ListQuery["filters"]>;
};

/** One page of the account's transactions of this kind. */
export function listed(request: AnyRequest<"merchant">, { kind, input, more }: Read): Promise<Reply> {
  const { services, account } = request;
  const filters = { ...filtersOf(input, account.settings.timezone), ...more };
  return listReply(request, {
    input,
    sorting,
    fetch: (page) => listTransactions(services.pool, { account_id: account.id, type: kind.type, filters, ...page }),
    anchorOf: ({ id, order_id, created_at }, sort_by) => ({
      value: sort_by === "id" ? id : sort_by === "order_id" ? (order_id ?? "") : created_at.toISOString(),
      id,
    }),
    present: (transaction) => presentTransaction(transaction, services.addresses, input.operations_size),
  });
}
