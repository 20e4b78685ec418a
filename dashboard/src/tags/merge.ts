// The three-way merge of tags that two writers changed.

/** User tags by their keys. */
export type TagEntries = ReadonlyMap<string, string>;

/** A writer: the reader of this page, or the other one, whose tags the server has. */
export type Side = "mine" | "theirs";

/** A key with different values on the two sides; undefined where the tag is absent. */
export interface Difference {
  readonly key: string;
  readonly base: string | undefined;
  readonly mine: string | undefined;
  readonly theirs: string | undefined;
  /** The only side that changed the key; undefined if both did, so that the reader has to choose. */
  readonly changedBy: Side | undefined;
}

/** Reads tags as entries. A `Map` has no inherited members, unlike an object with a key such as `constructor`. */
export const entriesOf = (tags: Readonly<Record<string, string>>): TagEntries =>
  new Map(Object.entries(tags));

/** Returns whether two maps have the same tags. */
export const sameTags = (one: TagEntries, other: TagEntries): boolean =>
  one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);

/** Returns the keys whose values differ between the two sides, in order. */
export function differences(base: TagEntries, mine: TagEntries, theirs: TagEntries): Difference[] {
  const keys = [...new Set([...mine.keys(), ...theirs.keys()])].sort();
  return keys.flatMap((key) => {
    const values = { base: base.get(key), mine: mine.get(key), theirs: theirs.get(key) };
    if (values.mine === values.theirs) return [];
    const changedBy =
      values.mine === values.base ? "theirs" : values.theirs === values.base ? "mine" : undefined;
    return [{ key, ...values, changedBy }];
  });
}

/** Returns the side that a difference takes: the chosen one, or the only one that changed it. */
export const sideOf = (
  { key, changedBy }: Difference,
  choices: ReadonlyMap<string, Side>,
): Side | undefined => choices.get(key) ?? changedBy;

/** Returns the merged tags, or undefined while a difference has no side. */
export function merge(
  theirs: TagEntries,
  differences: readonly Difference[],
  choices: ReadonlyMap<string, Side>,
): TagEntries | undefined {
  const merged = new Map(theirs);
  for (const difference of differences) {
    const side = sideOf(difference, choices);
    if (side === undefined) return undefined;
    const value = difference[side];
    if (value === undefined) merged.delete(difference.key);
    else merged.set(difference.key, value);
  }
  return merged;
}
