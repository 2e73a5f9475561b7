// The transcripts under test/golden: held anew by the test and compared, or written anew by `npm run golden -- renew`.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { versions } from "../../src/api/versions/index.ts";
import { small, unlimited } from "../../src/domain/plans.ts";
import { startApp, type TestAccount, type TestApp } from "./app.ts";
import { conversations } from "./conversations.ts";
import { Receiver } from "./receiver.ts";
import { transcript } from "./transcript.ts";

const folder = resolve(import.meta.dirname, "../golden");
export const version_names = versions.map(({ name }) => name);

export const fileName = (resource: string, version: string): string => `${resource}.${version}.txt`;
export const kept = (name: string): string => readFileSync(resolve(folder, name), "utf8");
export const allKept = (): string[] => readdirSync(folder).sort();

/** Every conversation in every version, each with an account of its own: file name -> text. */
export async function heldAnew(): Promise<ReadonlyMap<string, string>> {
  const app = await startApp({ settings: { plans: [unlimited, small] } });
  const nextShop = await shopsOf(app);
  const receivers: Receiver[] = [];
  const spokenIn = async (version: string) => {
    const receiver = await new Receiver().start();
    receivers.push(receiver);
    const texts: [string, string][] = [];
    for (const [title, conversation] of Object.entries(conversations)) {
      const told = { app, shop: await nextShop(), receiver, version, title };
      texts.push([fileName(title, version), await transcript(conversation, told)]);
    }
    return texts;
  };
  try {
    // Each to its end, so that nobody speaks to an app that stops.
    const told = await Promise.allSettled(version_names.map(spokenIn));
    const failed = told.find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return new Map(told.flatMap((one) => (one.status === "fulfilled" ? one.value : [])));
  } finally {
    for (const receiver of receivers) receiver.stop();
    await app.stop();
  }
}

/** Accounts of one person, all alike. */
async function shopsOf(app: TestApp): Promise<() => Promise<TestAccount>> {
  const { email, password, call } = await app.signUp();
  return async () => {
    const body = { shop_name: "Kop og Kande", contact_email: "drift@shop.example" };
    const { id } = (await call("POST", "/accounts", { body })).body;
    const owner = app.client(email, password, { "CoolPay-Account-Id": String(id) });
    const agreements = (await owner("GET", "/agreements")).body as { service: string; api_key: string }[];
    const api_key = agreements.find(({ service }) => service === "api_user")?.api_key ?? "";
    return { id, api_key, call: app.client("", api_key), owner, email, password };
  };
}

/** Writes them all; what no conversation makes any more goes. */
export async function renew(): Promise<number> {
  const texts = await heldAnew();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of texts) writeFileSync(resolve(folder, name), text);
  return texts.size;
}
