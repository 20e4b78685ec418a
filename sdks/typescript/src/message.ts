import { isPlain } from "./values.js";

/** The depth of options: maps of maps of lists. The core reads nothing deeper. */
const DEPTH = 3;

/** Types of JavaScript that JSON lacks, in the order of `KINDS` in `message.rs`. The first is for any other type. */
const KINDS = [
  "",
  "function",
  "symbol",
  "bigint",
  "[object Object]",
  "[object Array]",
  "[object Date]",
  "[object Map]",
  "[object Set]",
  "[object Promise]",
];

/**
 * Packs a value for the core, one 16-bit word per UTF-16 unit, so lone surrogates survive. Errors of getters propagate.
 * Members of lists and maps below `depth` are not read.
 */
export function pack(value: unknown, depth: number = DEPTH): string {
  switch (typeof value) {
    case "string":
      return `s${sized(value)}`;
    case "number":
      // Its bits and its shortest text, which the core could not format without tables. `${-0}` lacks the minus.
      return `n${words(new Float64Array([value]))}${sized(Object.is(value, -0) ? "-0" : `${value}`)}`;
    case "boolean":
      return value ? "t" : "f";
    case "undefined":
      return "u";
    case "object":
      if (value === null) return "0";
      if (Array.isArray(value)) return list(value, depth);
      if (isPlain(value)) return packMap(depth > 0 ? Object.entries(value) : [], depth);
      return unsupported(Object.prototype.toString.call(value));
  }
  return unsupported(typeof value);
}

function unsupported(kind: string): string {
  return `x${String.fromCharCode(Math.max(0, KINDS.indexOf(kind)))}`;
}

/** Packs a count: an exchange, a status, a length. */
export function count(n: number): string {
  return String.fromCharCode(n & 0xffff, n >>> 16);
}

const sized = (text: string) => count(text.length) + text;

const words = (numbers: Float64Array<ArrayBuffer>) =>
  String.fromCharCode(...new Uint16Array(numbers.buffer));

function list(items: readonly unknown[], depth: number): string {
  // Other members of an array, such as those of a regular expression's match, come after its items.
  const values = depth > 0 ? Object.values(items).slice(0, items.length) : [];
  // A sparse array may claim any length.
  if (depth > 0 && values.length !== items.length) return unsupported("[object Array]");
  return values.reduce(
    (packed: string, item) => packed + pack(item, depth - 1),
    `l${count(values.length)}`,
  );
}

/** Packs a map of these entries. Each value comes before its key. */
export function packMap(entries: readonly (readonly [string, unknown])[], depth: number): string {
  return entries.reduce(
    (packed, [key, value]) => packed + pack(value, depth - 1) + sized(key),
    `m${count(entries.length)}`,
  );
}
