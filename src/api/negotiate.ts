// What of Accept and User-Agent matters to an answer.

/** JSON is the only thing that non-static resources can be. */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === "") return true;
  return accept.split(",").some((range) => {
    const [type = "", ...parameters] = range
      .toLowerCase()
      .split(";")
      .map((part) => part.trim());
    if (parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) return false;
    return type === "application/json" || type === "application/*" || type === "*/*" || type === "*";
  });
}

const json_type = "application/json; charset=UTF-8";

// Habits of published clients that cannot be changed any more; each row names the reason.
const client_quirks = [
  // They compare the media type with the bare value and otherwise do not parse.
  { user_agent: /^(coolpay|quickpay)-python-client/, json_type: "application/json" },
];

/** The media type of JSON answers to this client. */
export const jsonTypeFor = (user_agent: string | undefined): string =>
  (user_agent === undefined ? undefined : client_quirks.find((quirk) => quirk.user_agent.test(user_agent)))
    ?.json_type ?? json_type;
