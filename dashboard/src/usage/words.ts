// Windows and changes in words.

import { formatChange, formatCount, formatDate, formatInstant } from "../format.js";
import type { Change } from "./groups.js";
import { DAY, midnightDate, type TimeWindow } from "./window.js";

/** Returns a window in words. Whole days end with the last day, not with the midnight after it. */
export function windowName({
  from,
  to,
  timezone,
}: TimeWindow & { readonly timezone: string }): string {
  const isDays = midnightDate(from, timezone) !== undefined;
  if (!isDays || Date.parse(to) - Date.parse(from) <= 2 * DAY)
    return `${formatInstant(from, timezone)} – ${formatInstant(to, timezone)}`;
  const last = new Date(Date.parse(to) - 1).toISOString();
  return `${formatDate(from, timezone)} – ${formatDate(last, timezone)}`;
}

/** From this growth on, a factor says more than a percentage. */
const MANY = 10;

/** Returns a change in words. */
export function changeName(change: Change): string {
  if (change === null) return "–";
  if (change === "new") return "new";
  return change >= MANY ? `×${formatCount(change + 1)}` : formatChange(change);
}
