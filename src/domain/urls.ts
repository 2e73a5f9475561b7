// Where callbacks and browsers may be sent. Only the form of an address is judged, not where it leads; what passes is kept
// exactly as it came.

/** The longest that an address may be. */
export const url_length_max = 2_048;

/** May callbacks and browsers be sent there? `http` and `https` alone. */
export const isHttpUrl = (value: string): boolean => /^https?:\/\/[^/]/i.test(value) && isPlainUrl(value);

// What would run within the window, what opens the shopper's own device or the browser itself, and what shows no page.
const refused_schemes: ReadonlySet<string> = new Set([
  ...["javascript", "vbscript", "livescript", "mocha", "data", "blob", "mhtml", "jar", "feed"],
  ...["file", "filesystem", "content", "about", "view-source", "resource"],
  ...["chrome", "chrome-extension", "moz-extension", "edge", "opera"],
  ...["ftp", "ws", "wss", "mailto", "tel", "sms"],
]);

/**
 * May a shopper be sent there when all is done? Also to an app, by its own scheme: `myapp://paid`, `com.shop.app:/done`.
 * The slash tells an app's address (RFC 8252, section 7.1) from a host with a port: `localhost:3000`.
 */
export function isReturnUrl(value: string): boolean {
  const scheme = /^([a-z][a-z0-9+.-]*):\/./i.exec(value)?.[1]?.toLowerCase();
  if (scheme === undefined || refused_schemes.has(scheme)) return false;
  return scheme === "http" || scheme === "https" ? isHttpUrl(value) : isPlainUrl(value);
}

// Browsers drop control characters before they read a scheme, so none may stand anywhere.
const isPlainUrl = (value: string): boolean =>
  value.length <= url_length_max && !/[\s\p{Cc}]/u.test(value) && URL.canParse(value);
