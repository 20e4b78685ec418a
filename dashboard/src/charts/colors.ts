/** The number of distinct colors of groups. */
const COLORS = 8;

/** A part of a stacked chart: a group, the sum of the groups without a part of their own, or the untagged usage. */
export type GroupKind = "group" | "rest" | "untagged";

/** Returns the class that colors the group at an index among the groups. */
export const groupColor = (index: number): string => `series-${(index % COLORS) + 1}`;

/** Returns the classes that color the parts of a chart, in their order. */
export function colorsOf(groups: readonly { readonly kind: GroupKind }[]): string[] {
  let index = 0;
  return groups.map(({ kind }) => {
    if (kind === "group") return groupColor(index++);
    return kind === "rest" ? "series-rest" : "series-untagged hatched";
  });
}
