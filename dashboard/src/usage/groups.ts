// Pages of the API as rows of the table and groups of the chart.

import type {
  GroupUsageItem,
  SandboxUsageItem,
  TagUsageItem,
  UntaggedUsage,
  UsageBucket,
  UsageSeries,
  UsageTotals,
} from "@opencomputer/usage";
import { groupColor } from "../charts/colors.js";
import type { ChartGroup } from "../charts/stacked.js";
import { type Condition, condition, withCondition } from "../conditions.js";
import { dimensionName } from "../dimensions.js";
import type { Metric } from "./query.js";

/** Amounts with their series. */
export type Amounts = UsageTotals & { readonly series?: UsageSeries };

/** A group of sandboxes, or one sandbox. */
export interface Row {
  /** Distinguishes the rows of a report. */
  readonly key: string;
  /** The value of each dimension; null where the sandboxes lack it. */
  readonly values: readonly (string | null)[];
  readonly amounts: Amounts;
  /** The number of sandboxes; null for one sandbox. */
  readonly sandboxCount: number | null;
  readonly sandbox: SandboxUsageItem | null;
}

/** A page of a report. */
export interface Report {
  readonly groupBy: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly asOf: string | null;
  readonly timezone: string;
  readonly interval: string;
  readonly buckets: readonly UsageBucket[];
  readonly total: Amounts;
  /** Null in a report by sandbox. */
  readonly untagged: (Amounts & UntaggedUsage) | null;
  readonly rows: readonly Row[];
  readonly nextCursor: string | null;
}

type Item = TagUsageItem | SandboxUsageItem | GroupUsageItem;

/** A page of `usage.by` with any dimensions. */
export interface AnyPage {
  readonly from: string;
  readonly to: string;
  readonly asOf: string | null;
  readonly timezone?: string;
  readonly interval?: string;
  readonly buckets?: readonly UsageBucket[];
  readonly total: Amounts;
  readonly untagged?: (Amounts & UntaggedUsage) | null;
  readonly items: readonly (Item & { readonly series?: UsageSeries })[];
  readonly nextCursor: string | null;
}

/** The number of groups with a part of their own in the chart. */
const LARGEST = 8;

/** Returns a page as rows. */
export function toReport(groupBy: readonly string[], page: AnyPage): Report {
  return {
    groupBy,
    from: page.from,
    to: page.to,
    asOf: page.asOf,
    timezone: page.timezone ?? "UTC",
    interval: page.interval ?? "",
    buckets: page.buckets ?? [],
    total: page.total,
    untagged: page.untagged ?? null,
    rows: page.items.map((item) => rowOf(groupBy, item)),
    nextCursor: page.nextCursor,
  };
}

function rowOf(groupBy: readonly string[], item: Item): Row {
  const values = valuesOf(groupBy, item);
  return {
    key: JSON.stringify(values),
    values,
    amounts: item,
    sandboxCount: "sandboxCount" in item ? item.sandboxCount : null,
    sandbox: "sandboxId" in item ? item : null,
  };
}

function valuesOf(groupBy: readonly string[], item: Item): (string | null)[] {
  if ("sandboxId" in item) return [item.sandboxId];
  if ("tagValue" in item) return [item.tagValue];
  return groupBy.map((dimension) => item.group[dimension] ?? null);
}

/** Returns a value in words. */
export const valueName = (value: string | null): string =>
  value === null ? "(none)" : value === "" ? "(empty)" : value;

export const rowName = (row: Row): string => row.values.map(valueName).join(" · ");

/** Returns the dimensions in words, such as *team and region*. */
export const groupingName = (groupBy: readonly string[]): string =>
  groupBy.map(dimensionName).join(" and ");

/** Returns the name of the sandboxes that lack every dimension. */
export function untaggedName(groupBy: readonly string[]): string {
  if (groupBy.every((dimension) => dimension.startsWith("tag:"))) return "Untagged";
  return `No ${groupBy.map(dimensionName).join(" or ")}`;
}

/** Returns the parts of the chart: the largest groups, the sum of the others, and what is untagged. */
export function chartGroups(
  { groupBy, rows, total, untagged }: Report,
  metric: Metric,
): ChartGroup[] {
  const seriesOf = (amounts: Amounts) => amounts.series?.[metric] ?? [];
  const largest = rows.slice(0, LARGEST).filter(({ amounts }) => amounts[metric] > 0);
  const shown = [...largest.map(({ amounts }) => amounts), ...(untagged ? [untagged] : [])];
  const rest = difference(seriesOf(total), shown.map(seriesOf));
  return [
    ...largest.map((row) => ({
      key: row.key,
      name: rowName(row),
      kind: "group" as const,
      values: seriesOf(row.amounts),
    })),
    ...(rest.some((value) => value > 0)
      ? [{ key: "rest", name: "Other groups", kind: "rest" as const, values: rest }]
      : []),
    ...(untagged && untagged[metric] > 0
      ? [
          {
            key: "untagged",
            name: untaggedName(groupBy),
            kind: "untagged" as const,
            values: seriesOf(untagged),
          },
        ]
      : []),
  ];
}

/** Returns the class with the color of a row in the chart. */
export const rowColor = (rank: number, amount: number): string =>
  rank <= LARGEST && amount > 0 ? groupColor(rank - 1) : "series-rest";

/** Subtracts series from their total. What is left of rounding is 0. */
function difference(total: readonly number[], parts: readonly (readonly number[])[]): number[] {
  return total.map((sum, i) => {
    const left = parts.reduce((left, part) => left - (part[i] ?? 0), sum);
    return left > roundingOf(sum, parts.length) ? left : 0;
  });
}

/**
 * Returns whether amounts add up to a total. The API rounds each exact amount to a float, and so does every addition
 * here.
 */
export function addsUp(parts: readonly number[], total: number): boolean {
  const sum = parts.reduce((sum, part) => sum + part, 0);
  return Math.abs(sum - total) <= roundingOf(Math.max(sum, total), parts.length);
}

const roundingOf = (sum: number, parts: number): number => sum * (parts + 2) * Number.EPSILON;

/** Returns whether the items of all pages and what is untagged add up to the total of a report. */
export function itemsAddUp(
  items: readonly UsageTotals[],
  untagged: UsageTotals | null,
  total: UsageTotals,
): boolean {
  const parts = untagged ? [...items, untagged] : items;
  return (["memoryGbSeconds", "diskOverageGbSeconds"] as const).every((metric) =>
    addsUp(
      parts.map((part) => part[metric]),
      total[metric],
    ),
  );
}

/** Returns whether the series of a page add up to the amounts beside them. */
export function seriesAddUp({ rows, total, untagged }: Report): boolean {
  const all = [total, ...(untagged ? [untagged] : []), ...rows.map(({ amounts }) => amounts)];
  return all.every(({ series, ...amounts }) =>
    (["memoryGbSeconds", "diskOverageGbSeconds"] as const).every(
      (metric) => !series || addsUp(series[metric], amounts[metric]),
    ),
  );
}

/**
 * Returns the conditions that keep only the sandboxes with these values, or undefined if the API does not filter by one
 * of them, such as the name of a template that is too long.
 */
export function conditionsOf(
  groupBy: readonly string[],
  values: readonly (string | null)[],
): Condition[] | undefined {
  try {
    return groupBy.map((dimension, i) => {
      const value = values[i] ?? null;
      return value === null
        ? condition(dimension, "missing", [])
        : condition(dimension, "any", [value]);
    });
  } catch {
    return undefined;
  }
}

/** Adds conditions, each in place of the one on the same dimension. */
export const withConditions = (
  conditions: readonly Condition[],
  added: readonly Condition[],
): readonly Condition[] => added.reduce(withCondition, conditions);

/** Returns an amount as a fraction of the total. */
export const shareOf = (amount: number, total: number): number => (total > 0 ? amount / total : 0);

/** A change as a fraction of the earlier amount: `new` if that was 0, null if both amounts are 0. */
export type Change = number | "new" | null;

export function changeOf(now: number, before: number): Change {
  if (before > 0) return (now - before) / before;
  return now > 0 ? "new" : null;
}
