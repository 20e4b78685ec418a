import type { Sandbox } from "@opencomputer/usage";
import type { Target } from "../tags/use-bulk.js";

/** Selected sandboxes by id, in the order of their selection. It is kept while pages change. */
export type Selection = ReadonlyMap<string, Target>;

/** Selects sandboxes, or removes them from the selection. */
export function withSelected(
  selection: Selection,
  sandboxes: readonly Sandbox[],
  isSelected: boolean,
): Selection {
  const changed = new Map(selection);
  for (const { sandboxID: id, alias } of sandboxes) {
    if (isSelected) changed.set(id, { id, alias });
    else changed.delete(id);
  }
  return changed;
}
