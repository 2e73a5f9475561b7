// Connections to PostgreSQL. Times come back as Date, `json` columns parsed, amounts as numbers (they are 32-bit).

import pg from "pg";

type Options = {
  readonly url: string;
  readonly max: number;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  /** Session settings, such as planner switches. */
  readonly settings?: string;
};

// A request would rather hear 503 than wait for ever for a connection.
const connect_timeout_ms = 5_000;

export function createPool({ url, max, name, settings }: Options): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: `coolpay ${name}`,
    connectionTimeoutMillis: connect_timeout_ms,
    options: `-c timezone=UTC -c jit=off ${settings ?? ""}`,
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => {});
  return pool;
}

/** Everything in it is stored, or nothing is. */
export async function inTransaction<T>(pool: pg.Pool, work: (db: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
