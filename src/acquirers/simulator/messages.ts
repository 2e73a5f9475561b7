// EMV 3-D Secure's messages as they travel through the browser: JSON in base64url, without padding.

export const packed = (message: Readonly<Record<string, string>>): string =>
  Buffer.from(JSON.stringify(message)).toString("base64url");

// Longer than any message of ours, notification URL included.
const packed_max = 4_096;

/** The members that are texts; null for what is not such a message. Padding is accepted, as EMV's is both ways. */
export function unpacked(text: string): Readonly<Record<string, string>> | null {
  if (text.length > packed_max || !/^[\w-]+={0,2}$/.test(text)) return null;
  try {
    const message: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (typeof message !== "object" || message === null || Array.isArray(message)) return null;
    return Object.fromEntries(Object.entries(message).filter(([, value]) => typeof value === "string"));
  } catch {
    return null;
  }
}
