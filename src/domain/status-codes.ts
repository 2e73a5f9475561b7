// What became of an operation, in our own codes (reference: states, section 3): 2 approved, 3 authentication needed,
// 4 declined, 5 failed on the way.

export const status_codes = {
  "20000": "Approved",
  "20200": "Waiting for approval",
  "30100": "3-D Secure required",
  "30101": "SCA required",
  "40000": "Rejected by acquirer",
  "40001": "Request data error",
  "40002": "Authorization expired",
  "40003": "Operation aborted",
  "40300": "Fraud block",
  "41000": "CoF deleted by scheme",
  "42300": "CoF token suspended by scheme",
  "50000": "Gateway Error",
  "50300": "Communications Error",
} as const;

export type StatusCode = keyof typeof status_codes;

/** The words beside a code. Only codes of the table exist. */
export function statusMessage(code: string): string {
  if (!Object.hasOwn(status_codes, code)) throw new RangeError(`${code} is not a status code`);
  return status_codes[code as StatusCode];
}
