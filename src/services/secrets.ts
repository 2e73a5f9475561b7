// An account's settings as they rest: what acquirers and integrations must keep secret is sealed, the rest is plain.

import type { AccountSettings } from "../domain/account.ts";
import { withSecrets } from "../domain/acquirer-settings.ts";
import type { Seal } from "./seal.ts";

type Sealed = { readonly sealed: string };

const purpose = "account settings";

const closed =
  (seal: Seal) =>
  (value: unknown): Sealed => ({ sealed: seal.close(String(value), purpose).toString("base64") });

const opened =
  (seal: Seal) =>
  (value: unknown): unknown =>
    value !== null && typeof value === "object" && "sealed" in value
      ? seal.open(Buffer.from(String((value as Sealed).sealed), "base64"), purpose)
      : value;

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
