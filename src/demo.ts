// The demo merchants that `coolpay start` puts into an empty database, made through the API like any others: a shop with a
// month of payments, and one whose plan lacks payouts.

import { randomBytes } from "node:crypto";
import { shop } from "../stories/shop.ts";
import { type Api, apiClient } from "../stories/story.ts";
import type { App } from "./app.ts";
import type { Config } from "./config.ts";
import { demo_email } from "./demo-keys.ts";
import type { Plans } from "./domain/plans.ts";

type Named = { readonly id: number };
type Agreement = { readonly service: string | null; readonly api_key: string | null };

/**
 * Makes them when there is no user at all and anybody may sign up. The password is thrown away: nobody can guess what nobody
 * knows. Its requests do not leave the process: the public address may lead elsewhere, and its certificate be our own.
 */
export async function makeDemo({ services, api }: App, signup: Config["signup"]): Promise<boolean> {
  if (signup !== "open") return false;
  const { rows } = await services.pool.query<{ any: boolean }>("SELECT EXISTS (SELECT FROM users) AS any");
  if (rows[0]?.any !== false) return false;

  const password = randomBytes(24).toString("base64url");
  const client = (credentials: Parameters<typeof apiClient>[1]): Api => apiClient("", credentials, within(api));
  await client(null).call("POST", "/users", { name: "Demo", email: demo_email, password });
  const person = { email: demo_email, password };
  const account = await client(person).call<Named>("POST", "/accounts", {
    shop_name: "Kop og Kande",
    contact_email: demo_email,
  });
  // Test transactions need no credentials: the demo shop can be paid by MobilePay, too.
  await client({ ...person, account_id: account.id }).call("PATCH", "/account", {
    acquirer_settings: { mobilepayonline: { active: true } },
  });
  await poorer(client, person, services.plans);
  const agreements = await client({ ...person, account_id: account.id }).call<Agreement[]>("GET", "/agreements");
  const api_key = agreements.find(({ service }) => service === "api_user")?.api_key;
  if (!api_key) throw new Error("the demo account has no API user with a key");

  // Its payments happened over the last days.
  const { clock } = services;
  const step_ms = 2 * 86_400_000 + 3 * 3_600_000;
  const real = clock.offset_ms();
  clock.advance(-20 * 86_400_000 - 30 * 3_600_000);
  try {
    await shop(client({ api_key }), {
      now: clock.now,
      between: async () => clock.advance(Math.min(step_ms, real - clock.offset_ms())),
    });
  } finally {
    clock.advance(real - clock.offset_ms());
  }
  return true;
}

type Client = (credentials: Parameters<typeof apiClient>[1]) => Api;
type Person = { readonly email: string; readonly password: string };

/** The second merchant: what its plan lacks is answered with 402. */
async function poorer(client: Client, person: Person, plans: Plans): Promise<void> {
  const plan = plans.find(({ features }) => !features.includes("payouts"));
  if (plan === undefined) return;
  const { id } = await client(person).call<Named>("POST", "/accounts", {
    shop_name: "Te og Tid",
    contact_email: person.email,
  });
  await client({ ...person, account_id: id }).call("PUT", "/account/plan", { plan: plan.name });
}

/** Hands requests to the API's server without a network between. */
const within =
  (api: App["api"]): NonNullable<Parameters<typeof apiClient>[2]> =>
  async (url, { method, headers, body }) => {
    const { statusCode, body: text } = await api.inject({ method: method as "GET", url, headers, payload: body });
    return { ok: statusCode < 300, status: statusCode, text: async () => text };
  };
