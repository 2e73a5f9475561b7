// Exports: an account's list as a file. The worker reads it page by page within one snapshot of the database, and writes the
// file in chunks, so an account may have a million of something. A process that is lost in the middle leaves chunks that
// nobody counts; another begins anew.

import type pg from "pg";
import { type Cell, csvLine, csvStart } from "../domain/csv.ts";
import {
  balanceOf,
  creditedOf,
  type Operation,
  type Transaction,
  type TransactionType,
} from "../domain/transaction.ts";
import { listActivity } from "../storage/activity.ts";
import { listCallbacks } from "../storage/callbacks.ts";
import { type Db, lockAccount } from "../storage/directory.ts";
import {
  beginAttempt,
  type ExportKey,
  type ExportRow,
  endExport,
  exportsOf,
  insertExport,
  type NewExport,
  readChunk,
  writeChunk,
} from "../storage/exports.ts";
import { listRequests } from "../storage/requests.ts";
import { type ListQuery, listTransactions } from "../storage/transactions.ts";
import { conflict, inOneCommit } from "./changing.ts";
import { wireTime } from "./present.ts";
import type { Actor, Services } from "./services.ts";

// Made one after the other: what is bounded is what one account makes others wait for, and what it stores.
const pending_max = 5;
const kept_max = 100;
const kept_ms = 7 * 86_400_000;
// An export that ends the process each time, or is larger than this, will not succeed by being tried again.
const attempts_max = 10;
const bytes_max = 2 ** 30;
// Small enough that other requests hardly wait while a page is written out.
const page_rows = 200;
const chunk_bytes = 262_144;

type Filters = ExportRow["filters"];
type Asked = { readonly account_id: number; readonly filters: Filters };
type Row = Readonly<Record<string, unknown>>;
type Pages = AsyncGenerator<readonly Row[]>;

type Exported = {
  /** Each a member of the row; `metadata.brand` is the column metadata_brand. */
  readonly columns: readonly string[];
  readonly pages: (db: Db, asked: Asked) => Pages;
};

/** Times were texts while the filters rested. */
const dated = (filters: Filters): Filters =>
  Object.fromEntries(
    Object.entries(filters).map(([name, value]) => [
      name,
      /^(min_time|max_time|since)$/.test(name) ? new Date(String(value)) : value,
    ]),
  );

type Read<R> = (page: {
  readonly sort_dir: "asc";
  readonly limit: number;
  readonly offset: number;
  readonly after: { readonly value: string | number; readonly id: string | number; readonly backwards: boolean } | null;
}) => Promise<readonly R[]>;

/** All rows in the order of their ids, a page at a time. */
async function* paged<R extends { readonly id: string | number }>(read: Read<R>): AsyncGenerator<readonly R[]> {
  for (let last: R | undefined, first = true; first || last !== undefined; first = false) {
    const after = last === undefined ? null : { value: last.id, id: last.id, backwards: false };
    const page: readonly R[] = await read({ sort_dir: "asc", limit: page_rows, offset: 0, after });
    if (page.length > 0) yield page;
    last = page.length < page_rows ? undefined : page.at(-1);
  }
}

const transactionsIn = (db: Db, type: TransactionType, { account_id, filters }: Asked) =>
  paged((page) =>
    listTransactions(db, {
      account_id,
      type,
      filters: dated(filters) as ListQuery["filters"],
      sort_by: "id",
      ...page,
    }),
  );

const transactionRow = (t: Transaction): Row => ({
  ...t.body,
  ...t,
  balance: t.type === "Payout" ? creditedOf(t.operations) : balanceOf(t),
});

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const address = (name: string): readonly string[] =>
  words("name company_name street house_number zip_code city country_code email phone_number mobile_number").map(
    (member) => `${name}.${member}`,
  );
const card = words(`metadata.brand metadata.bin metadata.last4 metadata.exp_month metadata.exp_year metadata.country
  metadata.is_3d_secure metadata.fraud_suspected metadata.customer_ip metadata.customer_country`);
const beginning = words("id ulid order_id state accepted test_mode currency");
const end = words("text_on_statement branding_id variables created_at updated_at retented_at");

const transactions = (type: TransactionType, columns: readonly string[]): Exported => ({
  columns,
  async *pages(db, asked) {
    for await (const page of transactionsIn(db, type, asked)) yield page.map(transactionRow);
  },
});

const types: readonly TransactionType[] = ["Payment", "Subscription", "Card", "Payout"];

const operationRow = (t: Transaction, o: Operation): Row => ({
  ...o,
  resource_type: t.type,
  resource_id: t.id,
  order_id: t.order_id,
  currency: t.currency,
  test_mode: t.test_mode,
});

/** What can be exported; amounts in minor units beside their currency, times in UTC. */
const exported = {
  payments: transactions("Payment", [
    ...beginning,
    ...words("authorized captured refunded balance fee acquirer subscription_id"),
    ...card,
    ...address("invoice_address"),
    ...address("shipping_address"),
    ...words("shipping.method shipping.amount shipping.tracking_number deadline_at"),
    ...end,
  ]),
  subscriptions: transactions("Subscription", [
    ...beginning,
    ...words("description acquirer group_ids"),
    ...card,
    ...address("invoice_address"),
    ...address("shipping_address"),
    "deadline_at",
    ...end,
  ]),
  cards: transactions("Card", [
    ...words("id ulid accepted test_mode acquirer"),
    ...card,
    ...words("variables created_at"),
  ]),
  payouts: transactions("Payout", [...beginning, "balance", "acquirer", ...card, ...end]),
  operations: {
    columns: words(`resource_type resource_id order_id id type amount currency pending status_code status_msg
      acquirer_status_code acquirer_status_msg acquirer three_d_secure_status test_mode created_at finished_at`),
    async *pages(db, { account_id, filters: { resource_type, ...filters } }) {
      for (const type of types.filter((one) => resource_type === undefined || one === resource_type)) {
        for await (const page of transactionsIn(db, type, { account_id, filters }))
          yield page.flatMap((t) => t.operations.map((operation) => operationRow(t, operation)));
      }
    },
  },
  callbacks: {
    columns: words(`id resource_type resource_id operation_id url state attempts next_attempt_at response_code duration
      created_at delivered_at`),
    pages: (db, { account_id, filters }) =>
      paged((page) => listCallbacks(db, { account_id, filters: dated(filters), ...page })),
  },
  requests: {
    columns: words("id at method path status duration version agreement_id ip"),
    pages: (db, { account_id, filters }) => paged((page) => listRequests(db, { account_id, filters, ...page })),
  },
  activity: {
    columns: words("id created_at target_type target_id action changes user_id extra.user extra.path"),
    async *pages(db, { account_id, filters: { support, ...filters } }) {
      // Nothing was done by support here.
      if (support !== true) yield* paged((page) => listActivity(db, { account_id, filters, ...page }));
    },
  },
} satisfies Readonly<Record<string, Exported>>;

export type ExportResource = keyof typeof exported;
export const export_resources = Object.keys(exported) as ExportResource[];

function cellOf(row: Row, column: string): Cell {
  const value = column.split(".").reduce<unknown>((inner, name) => (inner as Row | null)?.[name], row);
  if (value === undefined || value === null) return null;
  if (value instanceof Date) return wireTime(value);
  return typeof value === "object" ? JSON.stringify(value) : (value as Cell);
}

type Wanted = Pick<NewExport, "account_id" | "resource" | "format" | "delimiter" | "filters">;

type Pending = NewExport & Pick<ExportRow, "state" | "rows" | "expires_at">;

/** Asks for an export. Throws 409 when the account has as many as it may. */
export async function askForExport(services: Services, actor: Actor, wanted: Wanted): Promise<Pending> {
  const { account_id } = wanted;
  const id = await services.nextId(account_id);
  const created_at = services.clock.now();
  return inOneCommit<Pending>(services, actor, {
    target: () => ({ type: "Export", id }),
    async work(db) {
      await lockAccount(db, account_id);
      const kept = await exportsOf(db, account_id, created_at);
      if (kept.filter(({ state }) => state === "pending").length >= pending_max)
        throw conflict(`at most ${pending_max} exports may be pending`);
      if (kept.length >= kept_max) throw conflict(`at most ${kept_max} exports are kept`);
      const row = { ...wanted, id, created_at };
      await insertExport(db, row);
      return { ...row, state: "pending", rows: null, expires_at: null };
    },
  });
}

/** Makes the file. What `stopping` interrupts, or the database, is begun anew by whoever comes next. */
export async function makeExport(services: Services, row: ExportRow, stopping: AbortSignal): Promise<void> {
  const { pool, clock } = services;
  const attempt = await beginAttempt(pool, row);
  if (attempt === null) return;
  const key = { account_id: row.account_id, id: row.id, attempt };
  const made = attempt > attempts_max ? "failed" : await written(pool, row, { ...key, stopping });
  if (made === null) return;
  const expires_at = new Date(clock.now().getTime() + kept_ms);
  if (made === "failed") await endExport(pool, { ...key, state: "failed", rows: null, bytes: null, expires_at });
  else await endExport(pool, { ...key, state: "ready", ...made, expires_at });
}

type Attempt = ExportKey & { readonly attempt: number; readonly stopping: AbortSignal };
type Made = { readonly rows: number; readonly bytes: number };

/** Null when it was interrupted. */
async function written(
  pool: pg.Pool,
  { resource, delimiter, filters }: ExportRow,
  { stopping, ...key }: Attempt,
): Promise<Made | "failed" | null> {
  const { columns, pages }: Exported = exported[resource as ExportResource];
  let text =
    csvStart(delimiter) +
    csvLine(
      columns.map((name) => name.replace(".", "_")),
      delimiter,
    );
  let rows = 0;
  let bytes = 0;
  let position = 0;
  const flush = async (): Promise<void> => {
    const data = Buffer.from(text, "utf8");
    text = "";
    await writeChunk(pool, { ...key, position }, data);
    position += 1;
    bytes += data.length;
  };
  const snapshot = await pool.connect();
  try {
    await snapshot.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    for await (const page of pages(snapshot, { account_id: key.account_id, filters })) {
      if (stopping.aborted) return null;
      for (const row of page)
        text += csvLine(
          columns.map((column) => cellOf(row, column)),
          delimiter,
        );
      rows += page.length;
      if (text.length >= chunk_bytes) await flush();
      if (bytes > bytes_max) return "failed";
    }
    await flush();
    return { rows, bytes };
  } finally {
    // It has only read: whatever is left of its transaction may go with the connection.
    await snapshot.query("ROLLBACK").then(
      () => snapshot.release(),
      () => snapshot.release(true),
    );
  }
}

/** The file, a chunk at a time. Ends early when it expires meanwhile: then less comes than was promised. */
export async function* fileOf(pool: pg.Pool, { account_id, id, attempts }: ExportRow): AsyncGenerator<Buffer> {
  for (let position = 0; ; position += 1) {
    const data = await readChunk(pool, { account_id, id, attempt: attempts, position });
    if (data === null) return;
    yield data;
  }
}
