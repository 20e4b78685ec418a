// Loads reports.

import {
  LIMITS,
  type UsageClient,
  type UsageDimension,
  type UsageInterval,
  type UsageQuery,
  type UsageSort,
} from "@opencomputer/usage";
import { asQuery } from "../conditions.js";
import { browserTimeZone } from "../format.js";
import type { Session } from "../session.js";
import { type AnyPage, itemsAddUp, type Report, toReport } from "./groups.js";
import { automaticInterval, type ViewQuery, windowOf, writeQuery } from "./query.js";

/** Requests a page of usage. */
export async function by(
  client: UsageClient,
  groupBy: readonly string[],
  query: UsageQuery,
  signal: AbortSignal,
): Promise<AnyPage> {
  return client.usage.by(groupBy as UsageDimension[], query, { signal });
}

/** A report as the view shows it. */
export interface Loaded {
  readonly query: ViewQuery;
  readonly report: Report;
  /** The first page, whose groups are the largest. */
  readonly first: Report;
}

/** Returns a text that is the same for all pages of a query. */
export const walkKey = (query: ViewQuery): string =>
  writeQuery({ ...query, cursor: null, page: 1 }).toString();

/** Loads the page of a query, and the first page unless `last` has it. */
export async function loadReport(
  session: Session,
  query: ViewQuery,
  last: Loaded | undefined,
  signal: AbortSignal,
): Promise<Loaded> {
  const { client, suggestions } = session;
  const isSameWalk = last && walkKey(last.query) === walkKey(query);
  const groupBy = query.groupBy ?? [await suggestions.mainDimension()];
  const timeZone = query.timeZone ?? browserTimeZone();
  const base = {
    timeZone,
    interval: (query.interval ?? automaticInterval(query)) as UsageInterval,
    sort: query.sort as UsageSort,
    ...asQuery(query.conditions),
  };
  const fetchPage = async (more: UsageQuery) =>
    toReport(groupBy, await by(client, groupBy, { ...base, ...more }, signal));
  const { cursor, limit } = query;
  if (cursor === null) {
    const report = await fetchPage({ ...windowOf(query, new Date()), limit });
    return { query, report, first: report };
  }
  // A cursor has the window of the first page, which the preset of today may differ from.
  const report = await fetchPage({ limit, cursor });
  const { from, to } = report;
  const first = isSameWalk ? last.first : await fetchPage({ from, to, limit });
  return { query, report, first };
}

/** Returns a text that is the same for all pages of a report that was loaded. */
export const walkId = ({ query, report: { groupBy, from, to, asOf } }: Loaded): string =>
  JSON.stringify([walkKey(query), groupBy, from, to, asOf]);

/** The number of groups on all pages, and whether they add up. */
export interface Count {
  /** The walk that was counted. */
  readonly walk: string;
  /** The number of groups; a lower bound if not all groups were counted. */
  readonly groups: number;
  readonly isComplete: boolean;
  /** True if all groups and the untagged usage add up to the total; null if some groups are unknown. */
  readonly addsUp: boolean | null;
}

/** Counts the groups of a report that has one page. */
export function countPage(loaded: Loaded): Count {
  const { query, report } = loaded;
  const isComplete = query.cursor === null && report.nextCursor === null;
  return {
    walk: walkId(loaded),
    groups: (query.page - 1) * query.limit + report.rows.length,
    isComplete,
    addsUp: isComplete
      ? itemsAddUp(
          report.rows.map(({ amounts }) => amounts),
          report.untagged,
          report.total,
        )
      : null,
  };
}

/** Counts the groups of a report that has more pages, up to those of the largest page. */
export async function loadCount(
  { client }: Session,
  loaded: Loaded,
  signal: AbortSignal,
): Promise<Count> {
  const known = countPage(loaded);
  if (known.isComplete) return known;
  const { query, report } = loaded;
  const { from, to, timezone, groupBy } = report;
  const options = {
    from,
    to,
    timeZone: timezone,
    ...asQuery(query.conditions),
    limit: LIMITS.maxPageLimit,
  };
  const page = await by(client, groupBy, options, signal);
  const isComplete = page.nextCursor === null;
  return {
    walk: known.walk,
    groups: page.items.length,
    isComplete,
    addsUp: isComplete ? itemsAddUp(page.items, page.untagged ?? null, page.total) : null,
  };
}
