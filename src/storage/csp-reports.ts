// What browsers refused to load on our pages, and reported. Equal reports of a day are one row that counts.

import type pg from "pg";

export type CspReport = {
  readonly account_id: number | null;
  readonly directive: string;
  readonly blocked: string;
  readonly source: string;
  readonly line: number;
};

export type CspReportRow = CspReport & {
  /** YYYY-MM-DD, UTC. */
  readonly day: string;
  readonly reports: number;
  readonly last_at: Date;
};

const same = `day = $1::date AND account_id IS NOT DISTINCT FROM $2::int AND directive = $3 AND blocked = $4
  AND source = $5 AND line = $6`;

/** False: there were `rows_max` different ones of that account on that day, and this one is not kept. */
export async function addReport(
  pool: pg.Pool,
  { account_id, directive, blocked, source, line }: CspReport,
  { at, rows_max }: { readonly at: Date; readonly rows_max: number },
): Promise<boolean> {
  const { rows } = await pool.query<{ kept: boolean }>({
    name: "add_csp_report",
    text: `WITH seen AS (UPDATE csp_reports SET reports = reports + 1, last_at = $7 WHERE ${same} AND reports < 2147483647 RETURNING 1),
      added AS (INSERT INTO csp_reports AS r (day, account_id, directive, blocked, source, line, last_at)
        SELECT $1::date, $2::int, $3, $4, $5, $6::int, $7::timestamptz
        WHERE NOT EXISTS (SELECT FROM csp_reports WHERE ${same}) AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'
          AND (SELECT count(*) FROM csp_reports WHERE day = $1::date AND account_id IS NOT DISTINCT FROM $2::int) < $8
        ON CONFLICT (day, account_id, directive, blocked, source, line)
          DO UPDATE SET reports = r.reports + 1, last_at = excluded.last_at RETURNING 1)
      SELECT EXISTS (SELECT FROM seen) OR EXISTS (SELECT FROM added) AS kept`,
    values: [at.toISOString().slice(0, 10), account_id, directive, blocked, source, line, at, rows_max],
  });
  return rows[0]?.kept ?? false;
}

/** The newest days first, and what came most often of each. */
export async function reportsSince(pool: pg.Pool, since: Date, limit: number): Promise<CspReportRow[]> {
  const { rows } = await pool.query<CspReportRow>(
    `SELECT day::text AS day, account_id, directive, blocked, source, line, reports, last_at FROM csp_reports
     WHERE day >= $1::date ORDER BY csp_reports.day DESC, reports DESC, directive, blocked LIMIT $2`,
    [since.toISOString().slice(0, 10), limit],
  );
  return rows;
}

/** Deletes those of earlier days. */
export async function forgetReports(pool: pg.Pool, before: Date): Promise<void> {
  await pool.query("DELETE FROM csp_reports WHERE day < $1::date", [before.toISOString().slice(0, 10)]);
}
