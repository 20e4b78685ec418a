// Filters and exclusions, written in the dashboard's URLs as the API's URLs write them.

import { formatFilter, parseFilter, type UsageFilter } from "@opencomputer/usage";

/** A filter or an exclusion of one dimension. */
export interface Condition {
  readonly kind: "filter" | "exclude";
  readonly dimension: string;
  /** The values as in a query of the API: quoted and separated by commas, or empty for *has no value*. */
  readonly text: string;
}

/** The requirements that a condition can express, by operator. `name` is the label that readers see. */
export const OPERATORS = {
  any: { name: "is any of", kind: "filter", hasValues: true },
  none: { name: "is none of", kind: "exclude", hasValues: true },
  missing: { name: "has no value", kind: "filter", hasValues: false },
  present: { name: "has a value", kind: "exclude", hasValues: false },
} as const;

export type Operator = keyof typeof OPERATORS;

/** Returns the operator of a condition. */
export function operatorOf({ kind, text }: Condition): Operator {
  if (text === "") return kind === "filter" ? "missing" : "present";
  return kind === "filter" ? "any" : "none";
}

/** Writes a condition. */
export function condition(
  dimension: string,
  operator: Operator,
  values: readonly string[],
): Condition {
  const { kind, hasValues } = OPERATORS[operator];
  return { kind, dimension, text: hasValues ? formatFilter([...values]) : "" };
}

/** Returns the values of a condition, or undefined if the URL has a malformed one, which the API will explain. */
export function valuesOf({ text }: Condition): readonly string[] | undefined {
  try {
    return parseFilter(text) ?? [];
  } catch {
    return undefined;
  }
}

/** Returns whether two conditions are about the same parameter of a query, which may occur only once. */
export const isSame = (one: Condition, other: Condition): boolean =>
  one.kind === other.kind && one.dimension === other.dimension;

/** Adds a condition, or replaces the one with the same parameter. */
export const withCondition = (
  conditions: readonly Condition[],
  added: Condition,
): readonly Condition[] =>
  conditions.some((condition) => isSame(condition, added))
    ? conditions.map((condition) => (isSame(condition, added) ? added : condition))
    : [...conditions, added];

/** Replaces a condition in its place, and drops another with the same parameter. */
export const withEdited = (
  conditions: readonly Condition[],
  old: Condition,
  edited: Condition,
): readonly Condition[] =>
  conditions
    .filter((condition) => isSame(condition, old) || !isSame(condition, edited))
    .map((condition) => (isSame(condition, old) ? edited : condition));

export const withoutCondition = (
  conditions: readonly Condition[],
  removed: Condition,
): readonly Condition[] => conditions.filter((condition) => !isSame(condition, removed));

/** Reads the conditions of a URL. The last one with the same parameter counts. */
export function readConditions(params: URLSearchParams): readonly Condition[] {
  let conditions: readonly Condition[] = [];
  for (const [name, text] of params) {
    const [, kind, dimension] = /^(filter|exclude)\[(.*)\]$/s.exec(name) ?? [];
    if (dimension === undefined) continue;
    conditions = withCondition(conditions, { kind: kind as Condition["kind"], dimension, text });
  }
  return conditions;
}

/** Writes conditions into a URL that has none. */
export function writeConditions(params: URLSearchParams, conditions: readonly Condition[]): void {
  for (const { kind, dimension, text } of conditions) params.append(`${kind}[${dimension}]`, text);
}

/** Returns conditions as the options of the client. It sends a string as it is. */
export function asQuery(conditions: readonly Condition[]): {
  filter: UsageFilter;
  exclude: UsageFilter;
} {
  const of = (kind: Condition["kind"]) =>
    Object.fromEntries(
      conditions
        .filter((each) => each.kind === kind)
        .map(({ dimension, text }) => [dimension, text]),
    );
  return { filter: of("filter"), exclude: of("exclude") };
}
