// The tag rules in each peer's terms, every rule separately, so that a report names the broken rule, as ours does.

import Ajv from "ajv";
import * as v from "valibot";
import { z } from "zod";

const MAX_TAGS = 50;
const MAX_KEY = 128;
const KEY = /^[A-Za-z0-9_.:-]*$/;
const UNRESERVED = /^(?!oc:)/;
/** The flag `u` counts characters instead of UTF-16 units and matches only lone surrogates. */
const SHORT = /^.{0,256}$/su;
const UNICODE = /^\P{Surrogate}*$/u;
const NO_NUL = /^[^\0]*$/;

/** @typedef {Record<string, string>} Tags */

/** @returns {(tags: unknown) => unknown[]} every violation */
function ajv() {
  const check = new Ajv({ allErrors: true }).compile({
    type: "object",
    maxProperties: MAX_TAGS,
    propertyNames: {
      minLength: 1,
      maxLength: MAX_KEY,
      pattern: KEY.source,
      not: { pattern: "^oc:" },
    },
    additionalProperties: {
      type: "string",
      maxLength: 256,
      allOf: [{ pattern: UNICODE.source }, { pattern: NO_NUL.source }],
    },
  });
  return (tags) => (check(tags) ? [] : (check.errors ?? []));
}

/** @returns {(tags: unknown) => unknown[]} */
function valibot() {
  const key = v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(MAX_KEY),
    v.regex(KEY),
    v.regex(UNRESERVED),
  );
  const value = v.pipe(v.string(), v.regex(SHORT), v.regex(UNICODE), v.regex(NO_NUL));
  const schema = v.pipe(
    v.record(key, value),
    v.check((tags) => Object.keys(tags).length <= MAX_TAGS),
  );
  return (tags) => v.safeParse(schema, tags).issues ?? [];
}

/** @returns {(tags: unknown) => unknown[]} */
function zod() {
  const key = z.string().min(1).max(MAX_KEY).regex(KEY).regex(UNRESERVED);
  const value = z.string().regex(SHORT).regex(UNICODE).regex(NO_NUL);
  const schema = z.record(key, value).refine((tags) => Object.keys(tags).length <= MAX_TAGS);
  return (tags) => schema.safeParse(tags).error?.issues ?? [];
}

/** A hand-written check: a table of characters and loops, without a report. */
function byHand() {
  const allowed = new Uint8Array(128);
  for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-")
    allowed[char.charCodeAt(0)] = 1;

  /** @param {string} key */
  function isKey(key) {
    if (key.length < 1 || key.length > 128 || key.startsWith("oc:")) return false;
    for (let i = 0; i < key.length; i++) if (!allowed[key.charCodeAt(i)]) return false;
    return true;
  }

  /** @param {unknown} value */
  function isValue(value) {
    if (typeof value !== "string") return false;
    let characters = 0;
    for (let i = 0; i < value.length; i++, characters++) {
      const unit = value.charCodeAt(i);
      if (unit === 0) return false;
      if ((unit & 0xf800) !== 0xd800) continue;
      const next = value.charCodeAt(++i);
      if (unit > 0xdbff || !((next & 0xfc00) === 0xdc00)) return false;
    }
    return characters <= 256;
  }

  /** @param {unknown} tags */
  return (tags) => {
    if (typeof tags !== "object" || tags === null) return false;
    const keys = Object.keys(tags);
    if (keys.length > MAX_TAGS) return false;
    for (const key of keys) {
      if (!isKey(key) || !isValue(/** @type {Tags} */ (tags)[key])) return false;
    }
    return true;
  };
}

export const reporters = { ajv: ajv(), valibot: valibot(), zod: zod() };
export const handWritten = byHand();

/** Returns tags as they arrive from JSON; concatenated strings would be slower to read. @param {[string, string][]} entries @returns {Tags} */
const arrived = (entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries)));

/** @param {number} n */
export const validTags = (n) =>
  arrived(Array.from({ length: n }, (_, i) => [`team.key-${i}`, `payments value ${i}`]));

/** Returns ten tags of which `n` break a rule. @param {number} n */
export function invalidTags(n) {
  const size = Math.max(10, n);
  /** @param {number} i @returns {[string, string]} */
  const bad = (i) => (i % 2 ? [`cost center ${i}`, "x"] : [`long-${i}`, "v".repeat(257)]);
  return arrived(
    Array.from({ length: size }, (_, i) => (i < n ? bad(i) : [`team.key-${i}`, `value ${i}`])),
  );
}

/** Fails unless all agree on which tags are valid, so that comparing their speed is fair. @param {(tags: unknown) => unknown[]} ours */
export function assertAgreement(ours) {
  const fine = [
    {},
    validTags(10),
    validTags(50),
    { é: "" },
    { k: "é".repeat(256) },
    { k: "😀".repeat(256) },
  ];
  const faults = [validTags(51), invalidTags(1), invalidTags(20), { "": "" }, { "oc:a": "b" }];
  const values = ["\0", "\ud800", "\udc00a", "😀".repeat(257)].map((k) => ({ k }));
  const keys = [{ ["k".repeat(129)]: "" }, { "a b": "" }, { ключ: "" }, { k: 1 }];
  for (const tags of [...fine, ...faults, ...values, ...keys]) {
    const verdict = ours(tags).length === 0;
    for (const [name, check] of Object.entries({ ...reporters, "by hand": handWritten })) {
      const other = check(tags);
      if ((other === true || (Array.isArray(other) && other.length === 0)) !== verdict)
        throw new Error(`${name} disagrees on ${JSON.stringify(tags).slice(0, 80)}`);
    }
  }
}
