// Who asks to be connected to which account.

import { type Db, nextCounter } from "./directory.ts";

export type AccessRequestRow = {
  readonly id: number;
  readonly account_id: number;
  readonly user_id: number;
  readonly user_name: string;
  readonly user_email: string | null;
  readonly user_verified: boolean;
  readonly message: string;
  readonly state: "pending" | "granted" | "refused";
  readonly agreement_id: number | null;
  readonly created_at: Date;
  readonly answered_at: Date | null;
};

const requests = `SELECT r.*, u.name AS user_name, u.email AS user_email, u.email_verified AS user_verified
  FROM access_requests r JOIN users u ON u.id = r.user_id`;

type New = Pick<AccessRequestRow, "account_id" | "user_id" | "message" | "created_at">;

/** Throws a unique violation (`access_requests_open`) while an earlier one of the same person is not answered. */
export async function insertAccessRequest(db: Db, request: New): Promise<number> {
  const id = await nextCounter(db, "access_requests");
  await db.query(
    "INSERT INTO access_requests (id, account_id, user_id, message, created_at) VALUES ($1, $2, $3, $4, $5)",
    [id, request.account_id, request.user_id, request.message, request.created_at],
  );
  return id;
}

export async function accessRequestsSince(db: Db, user_id: number, since: Date): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM access_requests WHERE user_id = $1 AND created_at > $2",
    [user_id, since],
  );
  return rows[0]?.count ?? 0;
}

export async function accessRequestById(db: Db, id: number): Promise<AccessRequestRow | null> {
  return (await db.query<AccessRequestRow>(`${requests} WHERE r.id = $1`, [id])).rows[0] ?? null;
}

export type AccessRequestList = {
  readonly account_ids: readonly number[];
  readonly state?: string | undefined;
  readonly sort_dir: "asc" | "desc";
  readonly limit: number;
  readonly offset: number;
  readonly after: { readonly id: string | number; readonly backwards: boolean } | null;
};

/** In the order of their ids. */
export async function listAccessRequests(
  db: Db,
  { account_ids, state, sort_dir, limit, offset, after }: AccessRequestList,
): Promise<AccessRequestRow[]> {
  const descending = (sort_dir === "desc") !== (after?.backwards ?? false);
  const { rows } = await db.query<AccessRequestRow>(
    `${requests} WHERE r.account_id = ANY($1::int[]) AND ($2::text IS NULL OR r.state = $2)
       AND ($3::int IS NULL OR r.id ${descending ? "<" : ">"} $3)
     ORDER BY r.id ${descending ? "DESC" : "ASC"} LIMIT $4 OFFSET $5`,
    [account_ids, state ?? null, after === null ? null : Number(after.id), limit, offset],
  );
  return after?.backwards ? rows.reverse() : rows;
}

type Answered = {
  readonly id: number;
  readonly state: "granted" | "refused";
  readonly agreement_id: number | null;
  readonly at: Date;
};

/** Once: false when it was answered before. */
export async function answerAccessRequest(db: Db, { id, state, agreement_id, at }: Answered): Promise<boolean> {
  const { rowCount } = await db.query(
    "UPDATE access_requests SET state = $2, agreement_id = $3, answered_at = $4 WHERE id = $1 AND state = 'pending'",
    [id, state, agreement_id, at],
  );
  return rowCount === 1;
}

/** What this person still asks for is asked no more. */
export async function deleteOpenRequests(db: Db, user_id: number): Promise<void> {
  await db.query("DELETE FROM access_requests WHERE user_id = $1 AND state = 'pending'", [user_id]);
}
