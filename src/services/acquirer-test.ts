// Does an acquirer know the merchant by the settings that she has given? (reference: resources, section 6)

import { type TestDetails, tested_parts } from "../acquirers/acquirer.ts";
import type { AccountSettings } from "../domain/account.ts";
import { missingSettings } from "../domain/acquirer-settings.ts";
import type { AcquirerName } from "../domain/acquirers.ts";
import type { Services } from "./services.ts";

export { tested_parts };

// Somebody waits for the answer, before a button.
const test_timeout_ms = 20_000;

export type AcquirerTest = { readonly success: boolean; readonly details: TestDetails };

/** Nothing works, for one reason. */
const failing = (message: string): AcquirerTest => ({
  success: false,
  details: Object.fromEntries(tested_parts.map((part) => [part, { success: false, message, currency: null }])),
});

/** Asks the acquirer; where it cannot be asked the answer says why. Moves no money and stores nothing. */
export async function testAcquirer(
  { acquirers }: Services,
  { acquirer_settings }: AccountSettings,
  name: AcquirerName,
): Promise<AcquirerTest> {
  const adapter = acquirers[name];
  const settings = acquirer_settings[name] ?? {};
  if (adapter === undefined) return failing(`No connection to ${name} is built in: only test cards can be paid with`);
  if (settings.active !== true) return failing(`${name} is not active`);
  const missing = missingSettings(name, settings);
  if (missing.length > 0) return failing(`Not set: ${missing.join(", ")}`);
  if (adapter.test === undefined) return failing(`${name} cannot be asked`);
  try {
    const details = await adapter.test(settings, AbortSignal.timeout(test_timeout_ms));
    const results = Object.values(details);
    return { success: results.length > 0 && results.every(({ success }) => success), details };
  } catch {
    return failing(`${name} did not answer`);
  }
}
