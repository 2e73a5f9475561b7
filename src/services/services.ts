// What every service may use, made once in app.ts and passed by hand.

import type pg from "pg";
import type { Acquirer } from "../acquirers/acquirer.ts";
import type { ThreeDSecure } from "../acquirers/three-d-secure.ts";
import type { Plans } from "../domain/plans.ts";
import type { Transaction } from "../domain/transaction.ts";
import type { Commit } from "../storage/commit.ts";
import type { IdempotencyRow } from "../storage/rows.ts";
import type { AttemptBook } from "./card-testing-alarm.ts";
import type { MovableClock } from "./clock.ts";
import type { Directory } from "./directory.ts";
import type { Health } from "./health.ts";
import type { MailWay } from "./mails.ts";
import type { Addresses } from "./present.ts";
import type { Ring, Seal } from "./seal.ts";
import type { Templates } from "./templates.ts";

export type Log = {
  readonly info: (data: object, message: string) => void;
  readonly warn: (data: object, message: string) => void;
  readonly error: (data: object, message: string) => void;
};

export type Services = {
  readonly pool: pg.Pool;
  readonly commit: Commit;
  readonly nextId: (account_id: number) => Promise<number>;
  readonly clock: MovableClock;
  readonly seal: Seal;
  /** Seals what must not outlive the installation's processes: its key is in their memory alone. */
  readonly memory: Pick<Ring, "close" | "open">;
  readonly directory: Directory;
  readonly addresses: Addresses & { readonly api_url: string; readonly manager_url: string };
  readonly mail: MailWay;
  readonly simulator: Acquirer;
  /** Adapters by acquirer name; an acquirer without one can only do test transactions. */
  readonly acquirers: Readonly<Record<string, Acquirer>>;
  /** Who asks issuers; live: null while there is no adapter. */
  readonly three_d_secure: { readonly simulator: ThreeDSecure; readonly live: ThreeDSecure | null };
  readonly health: Health;
  /** What accounts may be on; the first is where they begin. */
  readonly plans: Plans;
  /** Renders what merchants upload, to try it. */
  readonly templates: Templates;
  /** Counts attempts with cards in the window, for the alarm on card testing. */
  readonly attempts: AttemptBook;
  /** The process that asks acquirers, as `operations.runner` names it. */
  readonly process_id: () => number;
  /** Operations that this process is asking about right now: the worker leaves them alone. */
  readonly running: Set<string>;
  /** The body of a callback: the resource as the given API version shows it. */
  readonly callbackBody: (transaction: Transaction, version: string) => string;
  /** Called after a commit that put callbacks in the outbox. */
  readonly nudge: () => void;
  readonly log: Log;
};

/** Who does something, for the audit trail, and on whose behalf it is remembered. */
export type Actor = {
  readonly user_id: number | null;
  readonly agreement_id: number | null;
  readonly name: string | null;
  readonly path: string;
  readonly ip: string | null;
  /** The API version of the request. */
  readonly version: string;
  /** The claim of the request's Idempotency-Key, to be committed with its effect. */
  readonly claim: Claim | null;
};

export type Claim = Pick<IdempotencyRow, "bucket" | "scope" | "key" | "fingerprint" | "created_at">;

export const system: Actor = {
  user_id: null,
  agreement_id: null,
  name: "System",
  path: "",
  ip: null,
  version: "v10",
  claim: null,
};
