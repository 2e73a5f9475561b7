// An account's settings as they rest: what acquirers and integrations must keep secret is sealed, the rest is plain.

import type { AccountSettings } from "../domain/account.ts";
import { withSecrets } from "../domain/acquirer-settings.ts";
import type { Ring, Seal } from "./seal.ts";

type Sealed = { readonly sealed: string };

const purpose = "account settings";

const closed =
  (seal: Seal) =>
  (value: unknown): Sealed => ({ sealed: seal.close(String(value), purpose).toString("base64") });

/** The record; null where the value is none. */
const recordIn = (value: unknown): Buffer | null =>
  value !== null && typeof value === "object" && "sealed" in value
    ? Buffer.from(String((value as Sealed).sealed), "base64")
    : null;

function opened(seal: Seal) {
  return (value: unknown): unknown => {
    const record = recordIn(value);
    return record === null ? value : seal.open(record, purpose);
  };
}

function changed(settings: AccountSettings, change: (value: unknown) => unknown): AccountSettings {
  const { economic } = settings.integration_settings;
  const agreement_token = economic.agreement_token === null ? null : (change(economic.agreement_token) as string);
  return {
    ...settings,
    acquirer_settings: withSecrets(settings.acquirer_settings, change),
    integration_settings: { economic: { ...economic, agreement_token } },
  };
}

export const sealSettings = (seal: Seal, settings: AccountSettings): AccountSettings => changed(settings, closed(seal));
export const openSettings = (seal: Seal, settings: AccountSettings): AccountSettings => changed(settings, opened(seal));

/** The sealed records among the settings as they rest. */
export function sealedIn(settings: AccountSettings): readonly Buffer[] {
  const found: Buffer[] = [];
  changed(settings, (value) => {
    const record = recordIn(value);
    if (record !== null) found.push(record);
    return value;
  });
  return found;
}

/** The settings as they rest, under the master key that seals now. */
export const rewrapSettings = (ring: Ring, settings: AccountSettings): AccountSettings =>
  changed(settings, (value) => {
    const record = recordIn(value);
    const now = record === null ? null : ring.rewrap(record, purpose);
    return now === null ? value : { sealed: now.toString("base64") };
  });
