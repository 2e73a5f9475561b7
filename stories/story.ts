// What stories are told with: a small client of the API that speaks JSON and fails loudly.

export type Api = {
  /** Answers the body; throws when the API refuses. */
  readonly call: <Body = Record<string, unknown>>(method: string, path: string, body?: object) => Promise<Body>;
};

/** A person acts on the account that she names. */
type Person = { readonly email: string; readonly password: string; readonly account_id?: number };
type Credentials = { readonly api_key: string } | Person | null;

/** How a request travels; `fetch` does. */
type Send = (
  url: string,
  request: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string },
) => Promise<{ readonly ok: boolean; readonly status: number; readonly text: () => Promise<string> }>;

export function apiClient(api_url: string, credentials: Credentials, send: Send = fetch): Api {
  const basic =
    credentials === null
      ? null
      : "api_key" in credentials
        ? `:${credentials.api_key}`
        : `${credentials.email}:${credentials.password}`;
  return {
    async call<Body>(method: string, path: string, body?: object): Promise<Body> {
      const response = await send(api_url + path, {
        method,
        headers: {
          "Accept-Version": "v10",
          "Content-Type": "application/json",
          ...(credentials !== null && "account_id" in credentials
            ? { "CoolPay-Account-Id": String(credentials.account_id) }
            : {}),
          ...(basic === null ? {} : { Authorization: `Basic ${Buffer.from(basic).toString("base64")}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path} was refused with ${response.status}: ${text}`);
      return (text === "" ? {} : JSON.parse(text)) as Body;
    },
  };
}

/** A test card's expiry that stays in the future. */
export const expiration = (now: Date): string => `${String(now.getUTCFullYear() + 3).slice(2)}12`;
