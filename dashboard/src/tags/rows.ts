// The rows of a form of tags, and the faults of each.

import { type TagViolation, validateTagKey, validateTags } from "@opencomputer/usage";
import type { TagEntries } from "./merge.js";

/** A row of a form. */
export interface Row {
  /** Identifies the row while its key is typed. */
  readonly id: number;
  readonly key: string;
  readonly value: string;
  /** True for a row that removes its key, which only the bulk edit has. */
  readonly removes: boolean;
}

/** The errors of one row. */
export interface Faults {
  readonly key: readonly string[];
  readonly value: readonly string[];
}

/** The state of a form. */
export interface Checked {
  /** The tags to set. If two rows have the same key, the last one counts. */
  readonly tags: TagEntries;
  /** The keys to remove. */
  readonly removed: ReadonlySet<string>;
  /** The faults by the id of the row. Rows without faults are missing. */
  readonly faults: ReadonlyMap<number, Faults>;
  /** The violations that belong to no row, such as too many tags. */
  readonly general: readonly string[];
  readonly isValid: boolean;
}

let lastId = 0;

/** Returns a new row. */
export function newRow(key = "", value = "", removes = false): Row {
  lastId += 1;
  return { id: lastId, key, value, removes };
}

/** Returns rows for tags, ordered by key. */
export const rowsOf = (tags: TagEntries): readonly Row[] =>
  [...tags]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => newRow(key, value));

const isBlank = ({ key, value }: Row): boolean => key === "" && value === "";

/** Tags as the client takes them. `Object.fromEntries` keeps a key such as `__proto__`. */
export const asObject = (tags: TagEntries): Record<string, string> => Object.fromEntries(tags);

/**
 * Checks a form: by the rules of the API, and for keys in two rows, which a map of tags cannot have. Rows in which
 * nothing was entered yet are ignored.
 */
export function check(rows: readonly Row[]): Checked {
  const filled = rows.filter((row) => !isBlank(row));
  const setting = filled.filter(({ removes }) => !removes);
  const tags = new Map(setting.map(({ key, value }) => [key, value]));
  const removing = filled.filter(({ removes }) => removes);
  const violations = [
    ...validateTags(asObject(tags)),
    ...removing.flatMap(({ key }) => validateTagKey(key)),
  ];
  const faults = placed(filled, violations);
  for (const { id, key } of filled) {
    if (key === "" || filled.every((other) => other.id === id || other.key !== key)) continue;
    const found = faults.get(id) ?? NONE;
    faults.set(id, { ...found, key: [...found.key, DUPLICATE] });
  }
  const general = violations.filter(({ key }) => key === null).map(({ message }) => message);
  return {
    tags,
    removed: new Set(removing.map(({ key }) => key)),
    faults,
    general,
    isValid: faults.size === 0 && general.length === 0,
  };
}

const NONE: Faults = { key: [], value: [] };

/** A fault of the form, not of the API: it cannot be sent, because a map has every key once. */
const DUPLICATE = "Another row has the same key. Keep one of them.";

/**
 * Returns violations by the rows that they are about. If two rows have the same key, those of the value belong to the
 * last one, whose value was checked.
 */
export function placed(
  rows: readonly Row[],
  violations: readonly TagViolation[],
): Map<number, Faults> {
  const faults = new Map<number, Faults>();
  for (const { key, code, message } of violations) {
    if (key === null) continue;
    const field = code.startsWith("value_") ? "value" : "key";
    const same = rows.filter((row) => row.key === key && !(row.removes && field === "value"));
    for (const { id } of field === "value" ? same.slice(-1) : same) {
      const found = faults.get(id) ?? NONE;
      if (found[field].includes(message)) continue;
      faults.set(id, { ...found, [field]: [...found[field], message] });
    }
  }
  return faults;
}
