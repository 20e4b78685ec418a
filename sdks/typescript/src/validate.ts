import { type Core, callFunction, callPacked, core, guarded, readInput } from "./core.js";
import { limits, reservedKeyPrefix } from "./generated/limits.js";
import type { Limits, TagViolation } from "./generated/types.js";
import { pack, packMap } from "./message.js";
import type { Cursor, GroupBy } from "./rules.js";
import { isPlain } from "./values.js";

export { InvalidRequestError, OpenComputerError } from "./errors.js";
export type { Limits, TagViolation } from "./generated/types.js";
export type {
  Cursor,
  GroupBy,
  GroupByDimension,
  GroupByDimensions,
  GroupBySandbox,
  GroupBySession,
  GroupByTag,
} from "./rules.js";

/**
 * Returns every violation of a map of tags; an empty array if the tags are valid.
 *
 * @throws {@link InvalidRequestError} `invalid_body` if it is not an object.
 * @example
 * ```ts
 * validateTags({ team: "payments" }); // []
 * validateTags({ "oc:team": "payments" }); // [{ code: "key_reserved_prefix", key: "oc:team", message: "…" }]
 * ```
 */
export function validateTags(tags: unknown): TagViolation[] {
  // Read once, so that both checks see the same values whatever a getter returns. `Object.keys` first: the cache of the
  // object's shape that it leaves makes the rest twice as fast as `Object.entries`.
  const read = readInput(() => {
    return isPlain(tags) ? ([Object.keys(tags), Object.values(tags)] as const) : undefined;
  });
  if (!read) return callFunction("validateTags", tags, 0);
  const [keys, values] = read;
  if (isAccepted(keys, values)) return [];
  const entries = keys.map((key, i) => [key, values[i]] as const);
  return callPacked(pack("validateTags") + readInput(() => packMap(entries, 1)));
}

/** Lengths of keys and values: more than are allowed, so that the core sees too many tags. */
const MAX_LENGTHS = 2 * 64;
/** Bytes for the most and longest tags that are allowed, if most of them are ASCII. */
const MAX_TEXT = 32 * 1024;

/** Updates the views of a core's buffers for tags. */
function findBuffers(core: Core): void {
  const { exports } = core;
  const { buffer } = exports.memory;
  if (core.text.buffer === buffer) return;
  // Both before the first view, because either may grow the memory.
  const [lengths, text] = guarded(
    core,
    () => [exports.lengths(MAX_LENGTHS), exports.text(MAX_TEXT)] as const,
  );
  core.lengths = new Uint16Array(exports.memory.buffer, lengths, MAX_LENGTHS);
  core.text = new Uint8Array(exports.memory.buffer, text, MAX_TEXT);
}

/** Returns whether the core accepts these tags. If false, they may still be valid, and the full check decides. */
function isAccepted(keys: readonly string[], values: readonly unknown[]): boolean {
  const running = core();
  findBuffers(running);
  const { lengths, text } = running;
  // One string: encoding each by itself would take as long as checking it.
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
  return guarded(running, () => running.exports.accepts(keys.length)) === 1;
}

/** Returns whether a string has no lone surrogate; false if the host cannot tell. */
function isUnicode(text: string): boolean {
  return (text as { isWellFormed?: () => boolean }).isWellFormed?.() ?? false;
}

/** Returns the bytes of a string in UTF-8. Each half of a surrogate pair counts as two. */
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
 * Returns tags without the system tags (`oc:…`), which can be read but not written. `tags.set` accepts the result.
 *
 * @example
 * ```ts
 * await client.tags.set(row.sandboxId, { ...userTags(row.tags ?? {}), env: "prod" });
 * ```
 */
export function userTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  const entries = readInput(() => Object.entries(tags));
  return Object.fromEntries(entries.filter(([key]) => !key.startsWith(reservedKeyPrefix)));
}

/**
 * Returns every violation of one tag key, for forms that validate as the user types.
 *
 * @throws {@link InvalidRequestError} `invalid_body` if it is not a string.
 * @example
 * ```ts
 * validateTagKey("team name"); // [{ code: "key_invalid_characters", … }]
 * ```
 */
export function validateTagKey(key: string): TagViolation[] {
  return callFunction("validateTagKey", key, 0);
}

/**
 * Returns every violation of one tag value. The `key` of each is null.
 *
 * @example
 * ```ts
 * validateTagValue(7); // [{ code: "value_not_string", key: null, message: "…" }]
 * ```
 */
export function validateTagValue(value: unknown): TagViolation[] {
  return callFunction("validateTagValue", value, 0);
}

/**
 * Parses a `groupBy`.
 *
 * @throws {@link InvalidRequestError} `missing_group_by`, `invalid_group_by`.
 * @example
 * ```ts
 * parseGroupBy("tag:team:x"); // { kind: "tag", key: "team:x" }
 * parseGroupBy("tag:team,region").kind; // "dimensions"
 * ```
 */
export function parseGroupBy(groupBy: string | null | undefined): GroupBy {
  return callFunction("parseGroupBy", groupBy);
}

/**
 * Formats a `groupBy`.
 *
 * @throws {@link InvalidRequestError} `invalid_group_by`.
 * @example
 * ```ts
 * formatGroupBy({ kind: "tag", key: "team" }); // "tag:team"
 * ```
 */
export function formatGroupBy(groupBy: GroupBy): string {
  return callFunction("formatGroupBy", groupBy, 3);
}

/**
 * Parses the value of a tag filter into exact values; null means *the sandbox lacks the tag*.
 *
 * @throws {@link InvalidRequestError} `invalid_filter`.
 * @example
 * ```ts
 * parseFilter('"a,b",c'); // ["a,b", "c"]
 * ```
 */
export function parseFilter(raw: string): string[] | null {
  return callFunction("parseFilter", raw);
}

/**
 * Formats exact values as the value of a tag filter; null means *the sandbox lacks the tag*.
 *
 * @throws {@link InvalidRequestError} `invalid_filter`.
 * @example
 * ```ts
 * formatFilter(["a,b", "c"]); // '"a,b",c'
 * ```
 */
export function formatFilter(values: readonly string[] | null): string {
  return callFunction("formatFilter", values);
}

/**
 * Encodes a cursor. Cursors are opaque; this function is for tests and tools.
 *
 * @throws {@link InvalidRequestError} `invalid_cursor`.
 * @example
 * ```ts
 * encodeCursor({ v: 8000, t: "payments" }); // "eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9"
 * ```
 */
export function encodeCursor(cursor: Cursor): string {
  return callFunction("encodeCursor", cursor);
}

/**
 * Decodes a cursor. Cursors are opaque; this function is for tests and tools.
 *
 * @throws {@link InvalidRequestError} `invalid_cursor`.
 * @example
 * ```ts
 * decodeCursor("eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9"); // { v: 8000, t: "payments" }
 * ```
 */
export function decodeCursor(cursor: string): Cursor {
  return callFunction("decodeCursor", cursor);
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
