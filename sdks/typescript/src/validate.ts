import { ask, type Core, core, inside, packed, reading, send } from "./core.js";
import { packMap } from "./message.js";
import type { Cursor, GroupBy, Limits, TagViolation } from "./types.js";
import { isMap } from "./values.js";
import { limits } from "./wasm/limits.js";

export { InvalidRequestError, OpenComputerError } from "./errors.js";
export type { Cursor, GroupBy, Limits, TagViolation } from "./types.js";

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
  if (!isMap(tags)) return ask("validateTags", tags);
  // Read once, so that a getter cannot tell the two checks different things.
  const keys = Object.keys(tags);
  const values = reading(() => keys.map((key) => tags[key]));
  if (isAccepted(keys, values)) return [];
  return send(packed("validateTags") + reading(() => packMap(keys, values)));
}

let scratch = /* @__PURE__ */ new Uint8Array();

/** The core's scratch. A view of it dies when the memory grows, and with its core. */
function scratchBytes({ memory, scratch: start, scratch_bytes: length }: Core): Uint8Array {
  if (scratch.buffer !== memory.buffer) {
    inside(start); // The first look may make the memory grow.
    scratch = new Uint8Array(memory.buffer, start(), length());
  }
  return scratch;
}

/** Whether the core accepts these tags: of plain ASCII, as most are. Where not, the whole check tells why. */
function isAccepted(keys: readonly string[], values: readonly unknown[]): boolean {
  const running = core();
  const bytes = scratchBytes(running);
  let at = 0;
  let all = 0;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? "";
    const value = values[i];
    if (typeof value !== "string" || at + key.length + value.length + 4 > bytes.length) return false;
    bytes[at++] = key.length;
    bytes[at++] = key.length >> 8;
    bytes[at++] = value.length;
    bytes[at++] = value.length >> 8;
    for (let i = 0; i < key.length; i++) all |= bytes[at++] = key.charCodeAt(i);
    for (let i = 0; i < value.length; i++) all |= bytes[at++] = value.charCodeAt(i);
  }
  return all < 128 && inside(() => running.accepts(at)) === 1;
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
