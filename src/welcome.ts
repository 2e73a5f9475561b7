// What `coolpay start` prints once everything listens: where things are, and a command that works at once.

import type { Addresses, App } from "./app.ts";
import type { Config } from "./config.ts";
import { certificateFile } from "./tls.ts";

type Options = {
  readonly config: Config;
  readonly addresses: Addresses;
  /** A working key of the demo merchant's API user; null where there is none. */
  readonly api_key: string | null;
  readonly first_start: boolean;
  readonly payments: number;
  readonly took_ms: number;
};

export function welcome({ config, addresses, api_key, first_start, payments, took_ms }: Options): string {
  const { api_url, window_url, manager_url, metrics_url } = addresses;
  const place = config.database_url === null ? config.data_dir : "the database of DATABASE_URL";
  const data = first_start
    ? `new data in ${place}`
    : `found its data in ${place}: ${payments} ${payments === 1 ? "payment" : "payments"}`;
  const key = api_key ?? "YOUR_API_KEY";
  // A certificate of our own making is believed by who is told to.
  const trust = config.tls === "self" ? `--cacert "${certificateFile(config.data_dir)}" ` : "";
  return `
CoolPay is ready after ${(took_ms / 1000).toFixed(1)} s (${data})

  API             ${api_url}
  API reference   ${api_url}/docs
  payment window  ${window_url}  (not built yet: says so)
  manager         ${manager_url}  (not built yet: says so)
  health, metrics ${metrics_url}/healthz ${metrics_url}/metrics

Try it:

  curl ${trust}-u ":${key}" -H "Accept-Version: v10" ${api_url}/payments?page_size=1

Ctrl-C stops everything. One line per request follows.
`;
}

/** The key of the oldest account's API user, to be printed on the machine's own terminal. */
export async function demoKey({ services: { pool, seal } }: App): Promise<string | null> {
  const { rows } = await pool.query<{ key_sealed: Buffer | null }>(
    "SELECT key_sealed FROM agreements WHERE service = 'api_user' AND ended_at IS NULL ORDER BY id LIMIT 1",
  );
  const sealed = rows[0]?.key_sealed ?? null;
  return sealed === null ? null : seal.open(sealed, "api_key");
}

export async function paymentCount({ services: { pool } }: App): Promise<number> {
  const { rows } = await pool.query<{ count: number }>("SELECT count(*)::int AS count FROM transactions");
  return rows[0]?.count ?? 0;
}
