// A month in the life of a small shop: payments in every state. Fills the demo, and shows what the API can do.

import { type Api, expiration } from "./story.ts";

const approved_card = "1000000000000008";
const rejected_card = "1000000000000016";
const capture_rejected_card = "1000000000000032";

type Payment = { readonly id: number };

type Scene = {
  readonly card: string | null;
  readonly amount: number;
  readonly capture?: readonly number[];
  readonly refund?: number;
  readonly cancel?: true;
};

const scenes: readonly Scene[] = [
  { card: approved_card, amount: 24_900, capture: [24_900] },
  { card: approved_card, amount: 12_500, capture: [12_500], refund: 2_500 },
  { card: rejected_card, amount: 8_900 },
  { card: approved_card, amount: 59_900, capture: [29_900, 30_000] },
  { card: approved_card, amount: 15_000, cancel: true },
  { card: capture_rejected_card, amount: 4_500, capture: [4_500] },
  { card: approved_card, amount: 7_995, capture: [7_995], refund: 7_995 },
  { card: approved_card, amount: 33_000 },
  { card: null, amount: 18_000 },
  { card: approved_card, amount: 9_900, capture: [5_000] },
];

/** Tells one scene per step; `between` may let time pass. Answers the ids of the payments. */
export async function shop(
  api: Api,
  { now, between }: { now: () => Date; between: () => Promise<void> },
): Promise<number[]> {
  const ids: number[] = [];
  for (const [index, scene] of scenes.entries()) {
    const order_id = `demo-${String(index + 1).padStart(4, "0")}`;
    ids.push(await play(api, { scene, order_id, now: now() }));
    await between();
  }
  return ids;
}

async function play(
  api: Api,
  { scene, order_id, now }: { scene: Scene; order_id: string; now: Date },
): Promise<number> {
  const { card, amount, capture = [], refund, cancel } = scene;
  const { id } = await api.call<Payment>("POST", "/payments", {
    order_id,
    currency: "DKK",
    basket: [{ qty: 1, item_no: "K-1", item_name: "Kop", item_price: amount, vat_rate: 0.25 }],
    invoice_address: { name: "Ida Holm", street: "Bredgade 4", zip_code: "5000", city: "Odense", country_code: "DNK" },
  });
  if (card === null) {
    await api.call("PUT", `/payments/${id}/link`, { amount });
    return id;
  }
  await api.call("POST", `/payments/${id}/authorize?synchronized`, {
    amount,
    card: { number: card, expiration: expiration(now), cvd: "208" },
  });
  for (const part of capture) await api.call("POST", `/payments/${id}/capture?synchronized`, { amount: part });
  if (refund !== undefined) await api.call("POST", `/payments/${id}/refund?synchronized`, { amount: refund });
  if (cancel) await api.call("POST", `/payments/${id}/cancel?synchronized`);
  return id;
}
