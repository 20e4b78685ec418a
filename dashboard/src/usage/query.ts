// The state of the view, which is the query of its URL.

import { LIMITS, type UsageInterval, type UsageTotals } from "@opencomputer/usage";
import { type Condition, readConditions, writeConditions } from "../conditions.js";
import { browserTimeZone } from "../format.js";
import { DAY, DEFAULT_PERIOD, HOUR, isPeriod, periodWindow } from "./window.js";

/** An amount of an item. */
export type Metric = keyof UsageTotals;

/** The state of the view. Text of a URL is kept as it is, because the API explains what is invalid. */
export interface ViewQuery {
  /** A preset, or null for `from` and `to`. */
  readonly period: string | null;
  /** As in a query of the API; null with a preset. */
  readonly from: string | null;
  readonly to: string | null;
  /** Null for the time zone of the browser. */
  readonly timeZone: string | null;
  /** Null for one that suits the window. */
  readonly interval: string | null;
  /** Null for the default. */
  readonly groupBy: readonly string[] | null;
  readonly conditions: readonly Condition[];
  readonly sort: string;
  readonly limit: number;
  /** The position of the page; null on the first page. */
  readonly cursor: string | null;
  /** The number of the page, from 1. */
  readonly page: number;
}

export const METRICS = {
  memoryGbSeconds: "Memory",
  diskOverageGbSeconds: "Disk overage",
} as const satisfies Record<Metric, string>;

export const PAGE_SIZES = [LIMITS.defaultPageLimit, 100, LIMITS.maxPageLimit] as const;

const DEFAULT_SORT = "-memoryGbSeconds";

/** Returns the metric that items are ordered by. */
export const metricOf = ({ sort }: ViewQuery): Metric =>
  sort === "-diskOverageGbSeconds" ? "diskOverageGbSeconds" : "memoryGbSeconds";

/** Reads the query of a URL. */
export function readQuery(params: URLSearchParams): ViewQuery {
  const [from, to] = [params.get("from"), params.get("to")];
  const period = params.get("period") ?? (from === null && to === null ? DEFAULT_PERIOD : null);
  const limit = params.get("limit");
  const cursor = params.get("cursor");
  return {
    period,
    from: period === null ? from : null,
    to: period === null ? to : null,
    timeZone: params.get("timezone"),
    interval: params.get("interval"),
    groupBy: params.get("groupBy")?.split(",") ?? null,
    conditions: readConditions(params),
    sort: params.get("sort") ?? DEFAULT_SORT,
    limit: limit === null ? LIMITS.defaultPageLimit : Number(limit),
    cursor,
    page: cursor === null ? 1 : Math.max(1, Number.parseInt(params.get("page") ?? "", 10) || 1),
  };
}

/** Writes a query without its defaults. */
export function writeQuery(query: ViewQuery): URLSearchParams {
  const params = new URLSearchParams();
  const write = (name: string, value: string | null, byDefault: string | null = null) => {
    if (value !== null && value !== byDefault) params.set(name, value);
  };
  write("period", query.period, DEFAULT_PERIOD);
  write("from", query.from);
  write("to", query.to);
  write("timezone", query.timeZone);
  write("interval", query.interval);
  write("groupBy", query.groupBy?.join(",") ?? null);
  writeConditions(params, query.conditions);
  write("sort", query.sort, DEFAULT_SORT);
  write("limit", String(query.limit), String(LIMITS.defaultPageLimit));
  write("cursor", query.cursor);
  write("page", String(query.page), "1");
  return params;
}

/**
 * Changes a query and returns to the first page. An interval that has become too short for the window or the size of the
 * page is dropped.
 */
export function changeQuery(query: ViewQuery, change: Partial<ViewQuery>): ViewQuery {
  const changed = { ...query, cursor: null, page: 1, ...change };
  const isAllowed = allowedIntervals(changed).some((interval) => interval === changed.interval);
  return isAllowed ? changed : { ...changed, interval: null };
}

/** The intervals, from short to long, and the length of their shortest bucket in milliseconds. */
export const INTERVALS = {
  "1m": { name: "By minute", length: 60_000 },
  "1h": { name: "Hourly", length: HOUR },
  "1d": { name: "Daily", length: 23 * HOUR },
  "1w": { name: "Weekly", length: 7 * DAY - HOUR },
  "1mo": { name: "Monthly", length: 28 * DAY - HOUR },
} as const satisfies Record<UsageInterval, object>;

/** Returns the intervals with few enough buckets for the window and the size of the page. */
export function allowedIntervals(query: ViewQuery): readonly UsageInterval[] {
  const length = windowLength(query);
  return (Object.keys(INTERVALS) as UsageInterval[]).filter((interval) => {
    // The window may cut the first and the last bucket.
    const buckets = Math.floor(length / INTERVALS[interval].length) + 2;
    return buckets <= LIMITS.maxAggregateBuckets && buckets * query.limit <= LIMITS.maxPageBuckets;
  });
}

/** Returns the interval that suits a window. */
export function automaticInterval(query: ViewQuery): UsageInterval {
  const length = windowLength(query);
  if (length <= 3 * HOUR) return "1m";
  return length <= 3 * DAY ? "1h" : "1d";
}

/**
 * Returns the start and the end of a query at an instant.
 *
 * @throws InvalidRequestError if there is no such preset.
 */
export const windowOf = ({ period, from, to, timeZone }: ViewQuery, now: Date) =>
  period === null ? { from, to } : periodWindow(period, now, timeZone ?? browserTimeZone());

/** Returns about how long a window is, in milliseconds. Presets do not depend on the day, so neither do intervals. */
function windowLength({ period, from, to }: ViewQuery): number {
  if (period === "24h") return DAY;
  if (period !== null) return (isPeriod(period) && Number.parseInt(period, 10) * DAY) || 31 * DAY;
  if (from === null) return LIMITS.defaultWindowDays * DAY;
  const length = (to === null ? Date.now() : Date.parse(to)) - Date.parse(from);
  // Malformed times are explained by the API.
  return length > 0 ? length : DAY;
}
