// Exports: an account's lists as files, made in the background and kept for a week (reference: extensions, section 7).

import { type TProperties, Type } from "typebox";
import { type AnyRequest, type Endpoint, get, idIn, post, type Reply } from "../api/endpoint.ts";
import { map, oneOf } from "../api/fields.ts";
import { compile } from "../api/input.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { may } from "../domain/access.ts";
import { type Fields, notAuthorized, notFound, Refused } from "../domain/refusal.ts";
import { askForExport, type ExportResource, export_resources, fileOf } from "../services/exports.ts";
import { wireTime } from "../services/present.ts";
import { type ExportRow, exportById, exportsOf } from "../storage/exports.ts";
import { activity_filters } from "./activity.ts";
import { callback_filters } from "./callbacks.ts";
import { card_filters } from "./cards.ts";
import { pageIn } from "./lists.ts";
import { payment_filters } from "./payments.ts";
import { payout_filters } from "./payouts.ts";
import { request_filters, requestFilters } from "./requests.ts";
import { subscription_filters, subscriptionFilters } from "./subscriptions.ts";
import { filtersOf, transactionFilters } from "./transaction-lists.ts";

const ExportShape = Type.Object(
  {
    id: Type.Integer(),
    resource: Type.Enum([...export_resources]),
    format: Type.Literal("csv"),
    state: Type.Enum(["pending", "ready", "failed"]),
    rows: Type.Union([Type.Integer(), Type.Null()]),
    created_at: Type.String({ format: "date-time" }),
    expires_at: Type.Union([Type.String({ format: "date-time" }), Type.Null()]),
  },
  { title: "Export" },
);

type Shown = Pick<ExportRow, "id" | "resource" | "format" | "state" | "rows" | "created_at" | "expires_at">;

const present = ({ id, resource, format, state, rows, created_at, expires_at }: Shown) => ({
  id,
  resource,
  format,
  state,
  rows,
  created_at: wireTime(created_at),
  expires_at: expires_at === null ? null : wireTime(expires_at),
});

const folders = { Payment: "payments", Subscription: "subscriptions", Card: "cards", Payout: "payouts" } as const;

type Input = Readonly<Record<string, unknown>>;
type Filtered = {
  /** The list's own. */
  readonly fields: TProperties;
  /** What the database is asked for. */
  readonly asked: (input: Input, request: AnyRequest<"merchant">) => Input;
};

const transactions = (fields: TProperties): Filtered => ({
  fields,
  asked: (input, { account }) => filtersOf(input, account.settings.timezone),
});
const as_given = (fields: TProperties): Filtered => ({ fields, asked: (input) => input });

const all_states = ["initial", "pending", "new", "rejected", "processed", "active", "cancelled"];

const filtered: Readonly<Record<ExportResource, Filtered>> = {
  payments: transactions(payment_filters),
  subscriptions: {
    fields: subscription_filters,
    asked: (input, { account, services }) => ({
      ...filtersOf(input, account.settings.timezone),
      ...subscriptionFilters(input, services.clock.now()),
    }),
  },
  cards: transactions(card_filters),
  payouts: transactions(payout_filters),
  operations: {
    fields: { ...transactionFilters(all_states), resource_type: callback_filters.resource_type },
    asked: ({ resource_type, ...input }, { account }) => ({
      ...filtersOf(input, account.settings.timezone),
      resource_type,
    }),
  },
  callbacks: as_given(callback_filters),
  requests: { fields: request_filters, asked: requestFilters },
  activity: as_given(activity_filters),
};

const checks = new Map(
  export_resources.map((resource) => {
    const fields = Type.Object(filtered[resource].fields);
    // A filter that is misspelled would be a file of everything.
    return [resource, compile(fields, { nulls: false, closed: { also: [] } })];
  }),
);

/** `date[month]` of a list is `filters[date][month]` here. */
const within = (errors: Fields): Fields =>
  Object.fromEntries(Object.entries(errors).map(([name, wrong]) => [name.replace(/^[^[]+/, "filters[$&]"), wrong]));

/** Throws as the list itself would. */
function filtersIn(request: AnyRequest<"merchant">, resource: ExportResource, given: Input): Input {
  try {
    const checked = checks.get(resource)?.(given);
    if (checked === undefined || checked.errors !== null) throw new Refused("validation", checked?.errors ?? null);
    return filtered[resource].asked(checked.value, request);
  } catch (error) {
    if (error instanceof Refused) throw new Refused("validation", within(error.refusal.fields ?? {}));
    throw error;
  }
}

/** What an export holds is shown to who may read the list itself. Throws 403. */
function mustRead(
  { agreement }: AnyRequest<"merchant">,
  { resource, filters }: Pick<ExportRow, "resource" | "filters">,
) {
  const of_type = folders[filters.resource_type as keyof typeof folders];
  const lists = resource !== "operations" ? [resource] : of_type === undefined ? Object.values(folders) : [of_type];
  const hidden = lists.find((list) => !may(agreement, "GET", `/${list}`));
  if (hidden !== undefined) throw notAuthorized(`Not authorized to GET /${hidden}`);
}

async function found({ services, account }: AnyRequest<"merchant">, id: number): Promise<ExportRow> {
  const row = await exportById(services.pool, { account_id: account.id, id }, services.clock.now());
  if (row === null) throw notFound("Export", id);
  return row;
}

const accepted = ({ services }: AnyRequest, row: Shown): Reply => ({
  status: 202,
  body: present(row),
  headers: { Location: `${services.addresses.api_url}/exports/${row.id}` },
});

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };

export const exportEndpoints: Endpoint[] = [
  get("/exports", {
    summary: "List exports",
    scope: "merchant",
    input: Type.Object(pagingFields(sorting)),
    output: { 200: Type.Array(ExportShape) },
    handle: async (request) => {
      const { services, account, input } = request;
      const rows = await exportsOf(services.pool, account.id, services.clock.now());
      return listReply(request, {
        input,
        sorting,
        fetch: async (page) => pageIn(rows, page, ({ id }) => id),
        anchorOf: ({ id }) => ({ value: id, id }),
        present,
      });
    },
  }),
  post("/exports", {
    summary: "Export a list as a file",
    description:
      "`filters` are those of the list itself: `filters[state]=new`. Amounts are in the currency's smallest unit, times in UTC. Asks for the permission to read the list, too.",
    scope: "merchant",
    input: Type.Object(
      {
        resource: oneOf(export_resources),
        format: Type.Optional(oneOf(["csv"], { default: "csv" })),
        delimiter: Type.Optional(oneOf([",", ";"], { default: ",", description: "`;` begins with a byte order mark" })),
        filters: Type.Optional(map()),
      },
      { examples: [{ resource: "payments", filters: { state: "processed" } }] },
    ),
    output: { 202: ExportShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const { resource, format = "csv", delimiter = "," } = input;
      mustRead(request, { resource, filters: input.filters ?? {} });
      const filters = filtersIn(request, resource, input.filters ?? {});
      const wanted = { account_id: account.id, resource, format, delimiter, filters };
      return accepted(request, await askForExport(services, actor, wanted));
    },
    resume: async (request, { id }) => accepted(request, await found(request, id)),
  }),
  get("/exports/:id", {
    summary: "Read an export's state",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: ExportShape },
    handle: async (request) => ({ status: 200, body: present(await found(request, idIn(request.path, "Export"))) }),
  }),
  get("/exports/:id/file", {
    summary: "Read an export's file",
    description: "404 until it is ready, and after a week.",
    scope: "merchant",
    static: true,
    input: Type.Object({}),
    output: { 200: Type.String({ contentMediaType: "text/csv" }) },
    handle: async (request) => {
      const row = await found(request, idIn(request.path, "Export"));
      mustRead(request, row);
      if (row.state !== "ready") throw notFound("Export", row.id);
      return {
        status: 200,
        body: { bytes: Number(row.bytes), parts: fileOf(request.services.pool, row) },
        type: "text/csv; charset=UTF-8",
        headers: {
          "Content-Disposition": `attachment; filename="${row.resource}-${row.id}.csv"`,
          "X-Content-Type-Options": "nosniff",
        },
      };
    },
  }),
];
