// The demo merchant that `coolpay start` puts into an empty database, made through the API like any other.

import { randomBytes } from "node:crypto";
import { shop } from "../stories/shop.ts";
import { apiClient } from "../stories/story.ts";
import type { App } from "./app.ts";

export const demo_email = "demo@shop.example";

type Named = { readonly id: number };
type Agreement = { readonly service: string | null; readonly api_key: string | null };

/** Makes it when there is no user at all. The password is thrown away: nobody can guess what nobody knows. */
export async function makeDemo({ services, addresses }: App): Promise<boolean> {
  const { rows } = await services.pool.query<{ any: boolean }>("SELECT EXISTS (SELECT FROM users) AS any");
  if (rows[0]?.any !== false) return false;

  const password = randomBytes(24).toString("base64url");
  const { api_url } = addresses;
  await apiClient(api_url, null).call("POST", "/users", { name: "Demo", email: demo_email, password });
  const person = { email: demo_email, password };
  const account = await apiClient(api_url, person).call<Named>("POST", "/accounts", {
    shop_name: "Kop og Kande",
    contact_email: demo_email,
  });
  const agreements = await apiClient(api_url, { ...person, account_id: account.id }).call<Agreement[]>(
    "GET",
    "/agreements",
  );
  const api_key = agreements.find(({ service }) => service === "api_user")?.api_key;
  if (!api_key) throw new Error("the demo account has no API user with a key");

  // Its payments happened over the last days.
  const { clock } = services;
  const step_ms = 2 * 86_400_000 + 3 * 3_600_000;
  const real = clock.offset_ms();
  clock.advance(-20 * 86_400_000 - 30 * 3_600_000);
  try {
    await shop(apiClient(api_url, { api_key }), {
      now: clock.now,
      between: async () => clock.advance(Math.min(step_ms, real - clock.offset_ms())),
    });
  } finally {
    clock.advance(real - clock.offset_ms());
  }
  return true;
}
