import { ask, core, guarded } from "./core.js";
import type { Cursor, GroupBy, Limits, TagViolation } from "./types.js";
import { isMap } from "./values.js";
import * as wasm from "./wasm/core.js";

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
  return guarded(() => isAccepted(tags)) ? [] : ask(() => wasm.validateTags(tags));
}

let scratch = new Uint8Array();
const encoder = new TextEncoder();

/** The core's scratch. A view dies when the memory grows, as the first look at the scratch itself may make it. */
function scratchBytes(): Uint8Array {
  const { memory } = core();
  if (scratch.buffer !== memory.buffer) {
    const start = wasm.scratch();
    scratch = new Uint8Array(memory.buffer, start, wasm.scratchBytes());
  }
  return scratch;
}

/** Whether tags may be written, told from one joined string. Where not, the whole check tells why. */
function isAccepted(tags: unknown): boolean {
  if (!isMap(tags)) return false;
  let joined = "";
  const keys = Object.keys(tags);
  for (const key of keys) {
    const value = tags[key];
    if (typeof value !== "string") return false;
    joined += `${key}\0${value}\0`;
  }
  const bytes = scratchBytes();
  if (joined.length > bytes.length) return false;
  const { read, written } = encoder.encodeInto(joined, bytes);
  return read === joined.length && wasm.acceptsScratch(written, keys.length);
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
  return ask(() => wasm.validateTagKey(key));
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
  return ask(() => wasm.validateTagValue(value));
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
  return ask(() => wasm.parseGroupBy(groupBy));
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
  return ask(() => wasm.formatGroupBy(groupBy));
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
  return ask(() => wasm.parseFilter(raw));
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
  return ask(() => wasm.formatFilter(values));
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
  return ask(() => wasm.encodeCursor(cursor));
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
  return ask(() => wasm.decodeCursor(cursor));
}

/** Reads the limits into the object that stands for them, once. */
function filled(limits: Limits): Limits {
  return Object.isFrozen(limits)
    ? limits
    : Object.freeze(Object.assign(limits, ask<Limits>(wasm.limits)));
}

/**
 * The limits of the API, frozen, read on first use.
 *
 * @example
 * ```ts
 * LIMITS.maxTags; // 50
 * ```
 */
export const LIMITS: Limits = /* @__PURE__ */ new Proxy<Limits>({} as Limits, {
  get: (limits, name) => Reflect.get(filled(limits), name),
  has: (limits, name) => Reflect.has(filled(limits), name),
  ownKeys: (limits) => Reflect.ownKeys(filled(limits)),
  getOwnPropertyDescriptor: (limits, name) =>
    Reflect.getOwnPropertyDescriptor(filled(limits), name),
  isExtensible: (limits) => Reflect.isExtensible(filled(limits)),
  preventExtensions: (limits) => Reflect.preventExtensions(filled(limits)),
  set: (limits, name, value) => Reflect.set(filled(limits), name, value),
  defineProperty: (limits, name, property) =>
    Reflect.defineProperty(filled(limits), name, property),
  setPrototypeOf: (limits, prototype) => Reflect.setPrototypeOf(filled(limits), prototype),
});
