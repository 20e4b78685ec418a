// The usage of the shown groups in the window before.

import { formatFilter, LIMITS, type UsageTotals } from "@opencomputer/usage";
import { asQuery, type Condition, condition } from "../conditions.js";
import type { Session } from "../session.js";
import { conditionsOf, type Report, type Row, toReport, withConditions } from "./groups.js";
import type { ViewQuery } from "./query.js";
import { by } from "./report.js";
import { type TimeWindow, windowBefore } from "./window.js";

/** The usage in the window before. */
export interface Before {
  /** The report that it belongs to. */
  readonly report: Report;
  readonly window: TimeWindow;
  readonly total: UsageTotals;
  /** The amounts of rows by their keys, where they are known. */
  readonly rows: ReadonlyMap<string, UsageTotals>;
  readonly untagged: UsageTotals | null;
}

const NO_USAGE: UsageTotals = { memoryGbSeconds: 0, diskOverageGbSeconds: 0 };

/**
 * Loads the window before. The page with its largest groups often has all that are shown; the others are asked for by
 * their values.
 */
export async function loadBefore(
  { client }: Session,
  query: ViewQuery,
  report: Report,
  signal: AbortSignal,
): Promise<Before> {
  const { groupBy, timezone } = report;
  const window = windowBefore(report, timezone, query.period);
  const fetchPage = async (conditions: readonly Condition[]) =>
    toReport(
      groupBy,
      await by(
        client,
        groupBy,
        { ...window, timeZone: timezone, ...asQuery(conditions), limit: LIMITS.maxPageLimit },
        signal,
      ),
    );
  const first = await fetchPage(query.conditions);
  const amounts = new Map<string, UsageTotals>(first.rows.map((row) => [row.key, row.amounts]));
  const missing = report.rows.filter(({ key }) => !amounts.has(key));
  const isComplete = first.nextCursor === null;
  const asked = missing.filter(
    ({ values }) => isComplete || conditionsOf(groupBy, values) !== undefined,
  );
  for (const { key } of asked) amounts.set(key, NO_USAGE);
  const pages = await Promise.all(
    batches(groupBy, isComplete ? [] : asked).map((batch) =>
      fetchPage(withConditions(query.conditions, conditionsOfBatch(groupBy, batch))),
    ),
  );
  for (const row of pages.flatMap(({ rows }) => rows)) amounts.set(row.key, row.amounts);
  return { report, window, total: first.total, rows: amounts, untagged: first.untagged };
}

/**
 * Splits rows into batches that a query can ask for: all rows of a batch lack the same dimensions, and the combinations
 * of their values fit on a page.
 */
export function batches(groupBy: readonly string[], rows: readonly Row[]): Row[][] {
  const open = new Map<string, Batch>();
  const closed: Row[][] = [];
  for (const row of rows) {
    const pattern = row.values.map((value) => (value === null ? "0" : "1")).join("");
    const batch = open.get(pattern);
    if (batch?.add(row)) continue;
    if (batch) closed.push(batch.rows);
    const next = new Batch(groupBy.length);
    next.add(row);
    open.set(pattern, next);
  }
  return [...closed, ...[...open.values()].map(({ rows }) => rows)];
}

class Batch {
  readonly rows: Row[] = [];
  readonly #values: readonly Set<string | null>[];
  #bytes = 0;

  constructor(dimensions: number) {
    this.#values = Array.from({ length: dimensions }, () => new Set());
  }

  /** Adds a row if the batch stays within the limits. */
  add(row: Row): boolean {
    const added = row.values.filter((value, i) => !this.#values[i]?.has(value));
    const bytes = this.#bytes + added.reduce((sum, value) => sum + encodedLength(value), 0);
    const sizes = this.#values.map((set, i) => set.size + (set.has(row.values[i] ?? null) ? 0 : 1));
    const combinations = sizes.reduce((product, size) => product * size, 1);
    const fits =
      combinations <= LIMITS.maxPageLimit &&
      sizes.every((size) => size <= LIMITS.maxFilterValues) &&
      // The other half is for the rest of the query.
      bytes <= LIMITS.maxQueryBytes / 2;
    if (this.rows.length > 0 && !fits) return false;
    this.rows.push(row);
    this.#bytes = bytes;
    row.values.forEach((value, i) => void this.#values[i]?.add(value));
    return true;
  }
}

const encodedLength = (value: string | null): number =>
  value === null ? 0 : encodeURIComponent(`${formatFilter([value])},`).length;

/** Returns the conditions that keep every row of a batch. */
export function conditionsOfBatch(groupBy: readonly string[], batch: readonly Row[]): Condition[] {
  return groupBy.map((dimension, i) => {
    const values = new Set(batch.map((row) => row.values[i] ?? null));
    const known = [...values].filter((value) => value !== null);
    return known.length > 0
      ? condition(dimension, "any", known)
      : condition(dimension, "missing", []);
  });
}
