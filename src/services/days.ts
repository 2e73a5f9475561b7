// Days belong to the account's timezone, a fixed offset from UTC such as `+01:00` (reference: resources, PATCH /account).

const day_ms = 86_400_000;

/** Milliseconds that the timezone is ahead of UTC; 0 for what is not an offset. */
export function offsetMs(timezone: string): number {
  const match = /^([+-])(\d{2}):(\d{2})$/.exec(timezone);
  if (match === null) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return (match[1] === "-" ? -minutes : minutes) * 60_000;
}

/** The instant at which this day (YYYY-MM-DD) begins there. */
export const startOfDay = (date: string, timezone: string): Date =>
  new Date(Date.parse(`${date}T00:00:00Z`) - offsetMs(timezone));

/** The month of this instant there (YYYY-MM), and its span `[from, to)`. */
export function monthOf(
  at: Date,
  timezone: string,
): { readonly month: string; readonly from: Date; readonly to: Date } {
  const month = new Date(at.getTime() + offsetMs(timezone)).toISOString().slice(0, 7);
  return { month, ...spanOf({ year: Number(month.slice(0, 4)), month: Number(month.slice(5)) }, timezone) };
}

type DateParts = { year: number; month?: number; day?: number; hour?: number; minute?: number };

/** The span `[from, to)` that a year, month, day, hour or minute names there. Smaller parts need their larger ones. */
export function spanOf({ year, month, day, hour, minute }: DateParts, timezone: string): { from: Date; to: Date } {
  const start = Date.UTC(year, (month ?? 1) - 1, day ?? 1, hour ?? 0, minute ?? 0) - offsetMs(timezone);
  const end =
    month === undefined
      ? Date.UTC(year + 1, 0, 1) - offsetMs(timezone)
      : day === undefined
        ? Date.UTC(year, month, 1) - offsetMs(timezone)
        : start + (hour === undefined ? day_ms : minute === undefined ? 3_600_000 : 60_000);
  return { from: new Date(start), to: new Date(end) };
}
