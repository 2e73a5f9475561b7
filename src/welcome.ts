// What `coolpay start` prints once everything listens: where things are, and a command that works at once.

import type { Addresses, App } from "./app.ts";
import type { Config } from "./config.ts";
import { certificateFile } from "./tls.ts";

type Options = {
  readonly config: Config;
  readonly addresses: Addresses;
  /** Working keys of the demo merchants' API users: of the shop, and of the one whose plan lacks payouts. */
  readonly api_keys: readonly string[];
  readonly first_start: boolean;
  readonly payments: number;
  readonly took_ms: number;
};

export function welcome({ config, addresses, api_keys, first_start, payments, took_ms }: Options): string {
  const { api_url, window_url, manager_url, metrics_url } = addresses;
  const place = config.database_url === null ? config.data_dir : "the database of DATABASE_URL";
  const data = first_start
    ? `new data in ${place}`
    : `found its data in ${place}: ${payments} ${payments === 1 ? "payment" : "payments"}`;
  const [key = "YOUR_API_KEY", poorer] = api_keys;
  // A certificate of our own making is believed by who is told to.
  const trust = config.tls === "self" ? `--cacert "${certificateFile(config.data_dir)}" ` : "";
  return `
CoolPay is ready after ${(took_ms / 1000).toFixed(1)} s (${data})

  API             ${api_url}
  API reference   ${api_url}/docs
  payment window  ${window_url}
${config.demo ? `  demo shop       ${window_url}/demo\n` : ""}  manager         ${manager_url}  (not built yet: says so)
  health, metrics ${metrics_url}/healthz ${metrics_url}/metrics

Try it:

  curl ${trust}-u ":${key}" -H "Accept-Version: v10" ${api_url}/payments?page_size=1
${
  poorer === undefined
    ? ""
    : `
  # 402: the second demo merchant's plan lacks payouts
  curl ${trust}-u ":${poorer}" ${api_url}/payouts -d order_id=PO-1001 -d currency=DKK
`
}
Ctrl-C stops everything. One line per request follows.
`;
}

export async function paymentCount({ services: { pool } }: App): Promise<number> {
  const { rows } = await pool.query<{ count: number }>("SELECT count(*)::int AS count FROM transactions");
  return rows[0]?.count ?? 0;
}
