// Windows of time: the presets, and the window before a window.

import { InvalidRequestError, LIMITS } from "@opencomputer/usage";

/** The presets by their names in URLs. */
export const PERIODS = {
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  "90d": "Last 90 days",
  month: "This month",
  "last-month": "Last month",
} as const;

export type Period = keyof typeof PERIODS;

export const DEFAULT_PERIOD: Period = "30d";

/** A window as the API takes it: dates of a time zone, or instants. */
export interface TimeWindow {
  readonly from: string;
  readonly to: string;
}

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export const isPeriod = (text: string): text is Period => Object.hasOwn(PERIODS, text);

/**
 * Returns the window of a preset. Presets start with a local hour, day or month, so that only their last bucket is
 * partial: the last 7 days are today and the 6 days before.
 *
 * @throws InvalidRequestError if there is no such preset.
 */
export function periodWindow(period: string, now: Date, timeZone: string): TimeWindow {
  if (!isPeriod(period))
    throw new InvalidRequestError(
      `period must be one of ${Object.keys(PERIODS).join(", ")}, but is ${JSON.stringify(period)}`,
    );
  const to = now.toISOString();
  const today = localDate(now.getTime(), timeZone);
  const month = `${today.slice(0, 7)}-01`;
  switch (period) {
    case "24h":
      return { from: startOfHour(now.getTime() - 23 * HOUR, timeZone), to };
    case "month":
      return { from: month, to };
    case "last-month":
      return { from: addMonths(month, -1), to: month };
    default: {
      const days = Number.parseInt(period, 10);
      const first = addDays(today, 1 - days);
      // When clocks are set back, the window gains an hour and may exceed the API's limit.
      const earliest = now.getTime() - LIMITS.maxWindowDays * DAY;
      const isTooLong = localDate(earliest, timeZone) >= first;
      return { from: isTooLong ? new Date(earliest).toISOString() : first, to };
    }
  }
}

/**
 * Returns the window directly before a window of instants. Whole days are counted as days, whose hours may differ. The
 * window before the last month is the month before.
 */
export function windowBefore(
  { from, to }: TimeWindow,
  timeZone: string,
  period: string | null,
): TimeWindow {
  const [first, end] = [midnightDate(from, timeZone), midnightDate(to, timeZone)];
  if (first !== undefined && end !== undefined) {
    if (period === "last-month") return { from: addMonths(first, -1), to: first };
    const days = (Date.parse(end) - Date.parse(first)) / DAY;
    return { from: addDays(first, -days), to: first };
  }
  const start = Date.parse(from);
  return { from: new Date(start - (Date.parse(to) - start)).toISOString(), to: from };
}

/** Returns the local date of an instant. */
export function localDate(instant: number, timeZone: string): string {
  const { year, month, day } = localParts(instant, timeZone);
  return `${year}-${month}-${day}`;
}

/** Returns the date that starts at an instant, or undefined if none does. */
export function midnightDate(instant: string, timeZone: string): string | undefined {
  const time = Date.parse(instant);
  const { hour, minute, second } = localParts(time, timeZone);
  const isMidnight = hour === "00" && minute === "00" && second === "00" && time % 1_000 === 0;
  return isMidnight ? localDate(time, timeZone) : undefined;
}

/** Returns the date a number of days after a date. */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * DAY).toISOString().slice(0, 10);
}

/** Returns the first day of the month a number of months after the month of a date. */
export function addMonths(date: string, months: number): string {
  const [year = 0, month = 1] = date.split("-").map(Number);
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10);
}

function startOfHour(instant: number, timeZone: string): string {
  const { minute } = localParts(instant, timeZone);
  const minutes = Math.floor(instant / 60_000) - Number(minute);
  return new Date(minutes * 60_000).toISOString();
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function localParts(instant: number, timeZone: string): Record<string, string> {
  let formatter = formatters.get(timeZone);
  if (!formatter) {
    formatter = localFormatter(timeZone);
    formatters.set(timeZone, formatter);
  }
  const parts = formatter.formatToParts(instant);
  return Object.fromEntries(parts.map(({ type, value }) => [type, value]));
}

function localFormatter(timeZone: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  };
  try {
    return new Intl.DateTimeFormat("en-US", { ...options, timeZone });
  } catch {
    // The API explains an unknown time zone.
    return new Intl.DateTimeFormat("en-US", { ...options, timeZone: "UTC" });
  }
}
