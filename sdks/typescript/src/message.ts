import { isPlain } from "./values.js";

/** How deep options go: maps of maps of lists. The core looks at nothing that lies deeper. */
const DEPTH = 3;

/** What the core has words for, after the first, which is for any other type: in the order of its own table. */
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
 * A value as the core reads it, each character a 16-bit word, so that lone surrogates survive. What a value's getters
 * throw is thrown. Of lists and maps that lie deeper than `depth` the members are not read.
 */
export function pack(value: unknown, depth: number = DEPTH): string {
  switch (typeof value) {
    case "string":
      return `s${sized(value)}`;
    case "number":
      // Its bits, and its shortest text, which takes tables to write. That text has no minus for -0.
      return `n${words(new Float64Array([value]))}${sized(Object.is(value, -0) ? "-0" : `${value}`)}`;
    case "boolean":
      return value ? "t" : "f";
    case "undefined":
      return "u";
    case "object":
      if (value === null) return "0";
      if (Array.isArray(value)) return list(value, depth);
      if (isPlain(value)) return packMap(depth > 0 ? Object.entries(value) : [], depth);
      return odd(Object.prototype.toString.call(value));
  }
  return odd(typeof value);
}

function odd(kind: string): string {
  return `x${String.fromCharCode(Math.max(0, KINDS.indexOf(kind)))}`;
}

/** A number that this package chose: an exchange, a status, a length. */
export function count(n: number): string {
  return String.fromCharCode(n & 0xffff, n >>> 16);
}

const sized = (text: string) => count(text.length) + text;

const words = (numbers: Float64Array<ArrayBuffer>) =>
  String.fromCharCode(...new Uint16Array(numbers.buffer));

function list(items: readonly unknown[], depth: number): string {
  // What an array has besides its items, as a match of a regular expression does, comes after them.
  const values = depth > 0 ? Object.values(items).slice(0, items.length) : [];
  // A sparse array claims any length and holds little.
  if (depth > 0 && values.length !== items.length) return odd("[object Array]");
  return values.reduce(
    (packed: string, item) => packed + pack(item, depth - 1),
    `l${count(values.length)}`,
  );
}

/** A map of these entries. Each value stands before its key, which is always text. */
export function packMap(entries: readonly (readonly [string, unknown])[], depth: number): string {
  return entries.reduce(
    (packed, [key, value]) => packed + pack(value, depth - 1) + sized(key),
    `m${count(entries.length)}`,
  );
}
