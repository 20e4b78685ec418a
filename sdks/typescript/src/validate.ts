import { ask, askPacked, type Core, core, inside, packed, reading } from "./core.js";
import { packMap } from "./message.js";
import type { Cursor, GroupBy, Limits, TagViolation } from "./rules.js";
import { isMap } from "./values.js";
import { limits } from "./wasm/limits.js";

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
  // Read once, so that a getter cannot tell the two checks different things.
  const entries = reading(() => (isMap(tags) ? Object.entries(tags) : undefined));
  if (!entries) return ask("validateTags", tags);
  if (isAccepted(entries)) return [];
  return askPacked(packed("validateTags") + reading(() => packMap(entries)));
}

/** Lengths of as many keys and values as may be, and of some more, so that there is something to refuse. */
const MOST_LENGTHS = 2 * 64;
/** The bytes that hold as many tags as are allowed, at their longest, where most of them is ASCII. */
const MOST_TEXT = 32 * 1024;

/** Views of where the core looks for tags; they die when its memory grows, and with their core. */
let lengths = /* @__PURE__ */ new Uint16Array();
let text = /* @__PURE__ */ new Uint8Array();
const encoder = /* @__PURE__ */ new TextEncoder();

function look({ memory, lengths: lengthsAt, text: textAt }: Core): void {
  // Both before the first view, as either may make the memory grow.
  const [lengthsStart, textStart] = inside(
    () => [lengthsAt(MOST_LENGTHS), textAt(MOST_TEXT)] as const,
  );
  lengths = new Uint16Array(memory.buffer, lengthsStart, MOST_LENGTHS);
  text = new Uint8Array(memory.buffer, textStart, MOST_TEXT);
}

/** Whether the core accepts these tags. Where not, the whole check tells why, or that it does after all. */
function isAccepted(entries: readonly (readonly [string, unknown])[]): boolean {
  const running = core();
  if (text.buffer !== running.memory.buffer) look(running);
  // One string, because each that crosses by itself would take as long as checking it.
  let all = "";
  let at = 0;
  for (const [key, value] of entries) {
    if (typeof value !== "string") return false;
    lengths[at++] = key.length;
    lengths[at++] = value.length;
    all += key;
    all += value;
  }
  if (at > lengths.length || all.length > text.length) return false;
  const { read, written } = encoder.encodeInto(all, text);
  if (read !== all.length) return false;
  if (written !== all.length) {
    if (!isUnicode(all)) return false;
    lengths.set(entries.flat().map(utf8Length));
  }
  return inside(() => running.accepts(entries.length)) === 1;
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
 * Checks one tag key and reports every violation, for a form that validates as the user types.
 *
 * @throws {@link InvalidRequestError} `invalid_body` where it is no string.
 * @example
 * ```ts
 * validateTagKey("team name"); // [{ code: "key_invalid_characters", … }]
 * ```
 */
export function validateTagKey(key: string): TagViolation[] {
  return ask("validateTagKey", key);
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
  return ask("validateTagValue", value);
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
