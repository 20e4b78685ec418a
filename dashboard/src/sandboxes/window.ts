// The window of one sandbox's usage, as the URL has it.

import type { UsageInterval } from "@opencomputer/usage";

/** The windows that end now, or with the last month. */
export const PERIODS = {
  "24h": { name: "Last 24 hours", days: 1, intervals: ["1m", "1h"], usual: "1h" },
  "7d": { name: "Last 7 days", days: 7, intervals: ["1h", "1d"], usual: "1h" },
  "30d": { name: "Last 30 days", days: 30, intervals: ["1h", "1d", "1w"], usual: "1d" },
  "90d": { name: "Last 90 days", days: 90, intervals: ["1h", "1d", "1w", "1mo"], usual: "1d" },
  month: { name: "This month", days: 0, intervals: ["1h", "1d", "1w"], usual: "1d" },
  "last-month": { name: "Last month", days: 0, intervals: ["1h", "1d", "1w"], usual: "1d" },
} as const satisfies Record<string, PeriodDescription>;

interface PeriodDescription {
  readonly name: string;
  readonly days: number;
  readonly intervals: readonly UsageInterval[];
  readonly usual: UsageInterval;
}

export type Period = keyof typeof PERIODS;

const DEFAULT_PERIOD: Period = "30d";

export const INTERVALS: Readonly<Record<UsageInterval, string>> = {
  "1m": "Minutes",
  "1h": "Hours",
  "1d": "Days",
  "1w": "Weeks",
  "1mo": "Months",
};

/** A window as the URL has it. Text that the API will reject is kept, because its error explains it. */
export interface Window {
  /** The preset; undefined for dates or instants. */
  readonly period: Period | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly timeZone: string;
  readonly interval: UsageInterval;
}

/** Reads a window. `timeZone` is the one of the browser. */
export function readWindow(params: URLSearchParams, timeZone: string): Window {
  const from = params.get("from") ?? undefined;
  const to = params.get("to") ?? undefined;
  const named = params.get("period") ?? DEFAULT_PERIOD;
  const known = Object.hasOwn(PERIODS, named) ? (named as Period) : DEFAULT_PERIOD;
  const period = from === undefined && to === undefined ? known : undefined;
  return {
    period,
    from,
    to,
    timeZone: params.get("timezone") ?? timeZone,
    interval: (params.get("interval") as UsageInterval | null) ?? PERIODS[period ?? "30d"].usual,
  };
}

/** Returns the query of a window at an instant. */
export function windowQuery({ period, from, to, timeZone, interval }: Window, now: Date) {
  if (period === undefined) return { from, to, timeZone, interval };
  if (period === "month")
    return { from: monthStart(now, timeZone, 0), to: now, timeZone, interval };
  if (period === "last-month")
    return {
      from: monthStart(now, timeZone, -1),
      to: monthStart(now, timeZone, 0),
      timeZone,
      interval,
    };
  const days = PERIODS[period].days;
  return { from: new Date(now.getTime() - days * 86_400_000), to: now, timeZone, interval };
}

/** Returns the first day of the month of an instant in a time zone, or of one some months away. */
function monthStart(now: Date, timeZone: string, months: number): string {
  const parts = new Intl.DateTimeFormat("en", { timeZone, year: "numeric", month: "numeric" })
    .formatToParts(now)
    .map(({ type, value }) => [type, Number(value)] as const);
  const { year = 0, month = 1 } = Object.fromEntries(parts) as { year?: number; month?: number };
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10);
}
