// What a callback says: the transaction in the words of the version that its operation was begun in.

import { latest, type Version, versionNamed } from "../api/versions/index.ts";
import { speechIn } from "../api/versions/speech.ts";
import type { Transaction } from "../domain/transaction.ts";
import { type Addresses, presentTransaction } from "../services/present.ts";
import { kinds } from "./kinds.ts";

/** A version that is not served any more is told as the latest. */
export const spokenVersion = (name: string): Version => versionNamed(name) ?? latest;

/** The body as it is signed and sent: JSON. */
export function callbackBody(transaction: Transaction, version: string, addresses: Addresses): string {
  const { lower } = speechIn(spokenVersion(version)).lowered(kinds[transaction.type].shape);
  const shown = presentTransaction(transaction, addresses);
  return JSON.stringify(lower === null ? shown : lower(shown));
}
