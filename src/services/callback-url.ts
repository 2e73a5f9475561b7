// Where an operation's callback goes (reference: callbacks, "When and where").

type Candidates = {
  /** `CoolPay-Callback-Url` or `QuickPay-Callback-Url` of the request that started the operation. */
  readonly header?: string | null;
  /** The link's `callback_url` or the form's `callbackurl`: only for operations started in the payment window. */
  readonly window?: string | null;
  /** The account's own `callback_url`. */
  readonly account: string | null;
};

/**
 * The request's header, else the payment window's URL, else the account's; null: no callback. An empty one is as if not
 * given. Captures and refunds through the API leave `window` out: they never go to the link's URL.
 */
export const resolveCallbackUrl = ({ header, window, account }: Candidates): string | null =>
  header || window || account || null;
