// What stands in the tables beside transactions, as plain data.

export type CallbackRow = {
  readonly bucket: number;
  readonly id: string;
  readonly account_id: number;
  readonly resource_type: string;
  readonly resource_id: number;
  readonly operation_id: number;
  /** The operation's id: it grows per resource, because operations of one resource finish in their order. */
  readonly sequence: number;
  readonly url: string;
  readonly version: string;
  readonly body: string;
  readonly next_attempt_at: Date;
  readonly created_at: Date;
};

export type ActivityRow = {
  readonly bucket: number;
  readonly id: string;
  readonly account_id: number;
  readonly target_type: string;
  readonly target_id: number | null;
  readonly action: string;
  /** attribute -> [before, after] */
  readonly changes: Readonly<Record<string, readonly [unknown, unknown]>>;
  readonly user_id: number | null;
  readonly agreement_id: number | null;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly created_at: Date;
};

/** What an operation takes of its account's plan in a month, or gives back. */
export type UseRow = {
  /** YYYY-MM */
  readonly month: string;
  readonly taken: 1 | -1;
  /** The most that the month may have; null where something is given back. */
  readonly bound: number | null;
};

/** The card that a Card or a subscription keeps, sealed. */
export type VaultRow = {
  readonly bucket: number;
  /** Of the operation that saved it. */
  readonly reference: string;
  readonly account_id: number;
  readonly card_id: number;
  readonly sealed: Buffer;
};

/** The claim of an Idempotency-Key, committed with the effect that it names. */
export type IdempotencyRow = {
  readonly bucket: number;
  readonly scope: string;
  readonly key: string;
  readonly fingerprint: Buffer;
  readonly resource_type: string | null;
  readonly resource_id: number | null;
  readonly operation_id: number | null;
  readonly created_at: Date;
};
