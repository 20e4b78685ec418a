import { ask, askPacked, type Core, core, inside, reading } from "./core.js";
import { pack, packMap } from "./message.js";
import type { Cursor, GroupBy, Limits, TagViolation } from "./rules.js";
import { isPlain } from "./values.js";
import { limits, reservedKeyPrefix } from "./wasm/limits.js";

export { InvalidRequestError, OpenComputerError } from "./errors.js";
export type {
  Cursor,
  GroupBy,
  GroupBySandbox,
  GroupByTag,
  Limits,
  TagViolation,
} from "./rules.js";

/**
 * Checks a map of tags and reports every violation; none where the map may be written.
 *
 * @throws {@link InvalidRequestError} `invalid_body` where it is no object.
 * @example
 * ```ts
 * validateTags({ team: "payments" }); // []
 * validateTags({ "oc:team": "payments" }); // [{ code: "key_reserved_prefix", key: "oc:team", message: "…" }]
 * ```
 */
export function validateTags(tags: unknown): TagViolation[] {
  // Read once, so that both checks see the same values whatever a getter returns. `Object.keys` first: the cache of the
  // object's shape that it leaves makes the rest twice as fast as `Object.entries`.
  const read = reading(() => {
    return isPlain(tags) ? ([Object.keys(tags), Object.values(tags)] as const) : undefined;
  });
  if (!read) return ask("validateTags", tags, 0);
  const [keys, values] = read;
  if (isAccepted(keys, values)) return [];
  const entries = keys.map((key, i) => [key, values[i]] as const);
  return askPacked(pack("validateTags") + reading(() => packMap(entries, 1)));
}

/** Lengths of as many keys and values as may be, and of some more, so that there is something to refuse. */
const MOST_LENGTHS = 2 * 64;
/** The bytes that hold as many tags as are allowed, at their longest, where most of them is ASCII. */
const MOST_TEXT = 32 * 1024;

/** Finds where a core looks for tags. */
function look(core: Core): void {
  const { exports } = core;
  const { buffer } = exports.memory;
  if (core.text.buffer === buffer) return;
  // Both before the first view, as either may make the memory grow.
  const [lengths, text] = inside(
    core,
    () => [exports.lengths(MOST_LENGTHS), exports.text(MOST_TEXT)] as const,
  );
  core.lengths = new Uint16Array(exports.memory.buffer, lengths, MOST_LENGTHS);
  core.text = new Uint8Array(exports.memory.buffer, text, MOST_TEXT);
}

/** Whether the core accepts these tags. Where not, the whole check tells why, or that it does after all. */
function isAccepted(keys: readonly string[], values: readonly unknown[]): boolean {
  const running = core();
  look(running);
  const { lengths, text } = running;
  // One string, because each that crosses by itself would take as long as checking it.
  let all = "";
  let at = 0;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const value = values[i];
    if (typeof value !== "string" || at >= lengths.length) return false;
    lengths[at++] = key.length;
    lengths[at++] = value.length;
    all += key;
    all += value;
  }
  if (all.length > text.length) return false;
  const { read, written } = running.encoder.encodeInto(all, text);
  if (read !== all.length) return false;
  if (written !== all.length) {
    if (!isUnicode(all)) return false;
    lengths.set(keys.flatMap((key, i) => [utf8Length(key), utf8Length(values[i])]));
  }
  return inside(running, () => running.exports.accepts(keys.length)) === 1;
}

/** Whether no surrogate stands alone, as far as this host can tell. */
function isUnicode(text: string): boolean {
  return (text as { isWellFormed?: () => boolean }).isWellFormed?.() ?? false;
}

/** Bytes of a string in UTF-8; of a pair of surrogates each counts for half. */
function utf8Length(text: unknown): number {
  const string = text as string;
  let bytes = 0;
  for (let i = 0; i < string.length; i++) {
    const unit = string.charCodeAt(i);
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3;
  }
  return bytes;
}

/**
 * The user's part of tags that were read: all but system tags (`oc:…`), which are readable and never writable. It is what
 * `tags.set` takes back.
 *
 * @example
 * ```ts
 * await client.tags.set(row.sandboxId, { ...userTags(row.tags ?? {}), env: "prod" });
 * ```
 */
export function userTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  const entries = reading(() => Object.entries(tags));
  return Object.fromEntries(entries.filter(([key]) => !key.startsWith(reservedKeyPrefix)));
}

/**
 * Checks one tag key and reports every violation, for a form that validates as the user types.
 *
 * @throws {@link InvalidRequestError} `invalid_body` where it is no string.
 * @example
 * ```ts
 * validateTagKey("team name"); // [{ code: "key_invalid_characters", … }]
 * ```
 */
export function validateTagKey(key: string): TagViolation[] {
  return ask("validateTagKey", key, 0);
}

/**
 * Checks one tag value and reports every violation; the `key` of each is null.
 *
 * @example
 * ```ts
 * validateTagValue(7); // [{ code: "value_not_string", key: null, message: "…" }]
 * ```
 */
export function validateTagValue(value: unknown): TagViolation[] {
  return ask("validateTagValue", value, 0);
}

/**
 * Reads a `groupBy`.
 *
 * @throws {@link InvalidRequestError} `missing_group_by`, `invalid_group_by`.
 * @example
 * ```ts
 * parseGroupBy("tag:team:x"); // { kind: "tag", key: "team:x" }
 * ```
 */
export function parseGroupBy(groupBy: string | null | undefined): GroupBy {
  return ask("parseGroupBy", groupBy);
}

/**
 * Writes a `groupBy`.
 *
 * @throws {@link InvalidRequestError} `invalid_group_by`.
 * @example
 * ```ts
 * formatGroupBy({ kind: "tag", key: "team" }); // "tag:team"
 * ```
 */
export function formatGroupBy(groupBy: GroupBy): string {
  return ask("formatGroupBy", groupBy);
}

/**
 * Reads the value of a tag filter: its exact values, or null for *the sandbox lacks the tag*.
 *
 * @throws {@link InvalidRequestError} `invalid_filter`.
 * @example
 * ```ts
 * parseFilter('"a,b",c'); // ["a,b", "c"]
 * ```
 */
export function parseFilter(raw: string): string[] | null {
  return ask("parseFilter", raw);
}

/**
 * Writes exact values, or null for *the sandbox lacks the tag*, as the value of a tag filter.
 *
 * @throws {@link InvalidRequestError} `invalid_filter`.
 * @example
 * ```ts
 * formatFilter(["a,b", "c"]); // '"a,b",c'
 * ```
 */
export function formatFilter(values: readonly string[] | null): string {
  return ask("formatFilter", values);
}

/**
 * Writes a cursor. Cursors are opaque: this is for tests and for tools that look into them.
 *
 * @throws {@link InvalidRequestError} `invalid_cursor`.
 * @example
 * ```ts
 * encodeCursor({ v: 8000, t: "payments" }); // "eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9"
 * ```
 */
export function encodeCursor(cursor: Cursor): string {
  return ask("encodeCursor", cursor);
}

/**
 * Reads a cursor.
 *
 * @throws {@link InvalidRequestError} `invalid_cursor`.
 * @example
 * ```ts
 * decodeCursor("eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9"); // { v: 8000, t: "payments" }
 * ```
 */
export function decodeCursor(cursor: string): Cursor {
  return ask("decodeCursor", cursor);
}

/**
 * The limits of the API, frozen.
 *
 * @example
 * ```ts
 * LIMITS.maxTags; // 50
 * ```
 */
export const LIMITS: Limits = /* @__PURE__ */ Object.freeze(limits);
