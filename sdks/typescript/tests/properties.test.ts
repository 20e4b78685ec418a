import {
  decodeCursor,
  encodeCursor,
  formatFilter,
  LIMITS,
  OpenComputerError,
  parseFilter,
  validateTagKey,
  validateTags,
  validateTagValue,
} from "@opencomputer/usage";
import fc from "fast-check";
import { expect, test } from "vitest";

const RUNS = { numRuns: 1_000 };

/** Arbitrary code units, including lone surrogates. Characters that the rules mention are frequent. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc
    .array(fc.oneof(fc.constantFrom(0, 0xd83d, 0xde00, 0xfffd, 0x2c, 0x22, 0x20), fc.nat(0xffff)))
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom("oc:", "oc:team", "team", "a,b", " a ", '"', "", "\u3000", "é", "__proto__"),
  fc
    .tuple(fc.constantFrom("k", "é", "😀"), fc.integer({ min: 126, max: 258 }))
    .map(([c, n]) => c.repeat(n)),
);
const tags = fc.dictionary(text, fc.oneof({ weight: 4, arbitrary: text }, fc.anything()), {
  maxKeys: 60,
  noNullPrototype: false,
});
const validTags = fc.dictionary(
  fc.stringMatching(/^[A-Za-z0-9_.-][A-Za-z0-9_.:-]{0,40}$/),
  fc.string({ unit: "grapheme-ascii", maxLength: 256 }),
  { maxKeys: 50 },
);

const isLone = (character: string) => /^\p{Surrogate}$/u.test(character);

/** A naive implementation of the tag rules. */
function reference(tags: Record<string, unknown>): [code: string, key: string | null][] {
  const codes: [string, string | null][] = [];
  const keys = Object.keys(tags);
  if (keys.length > 50) codes.push(["too_many_tags", null]);
  const points = (key: string) =>
    [...key].map((c) => (c.codePointAt(0) ?? 0).toString(16).padStart(6, "0")).join();
  for (const key of keys.sort((a, b) => (points(a) < points(b) ? -1 : 1))) {
    const shown = [...key].map((c) => (isLone(c) ? "\ufffd" : c)).join("");
    const add = (code: string, holds: boolean) => holds && codes.push([code, shown]);
    add("key_empty", key === "");
    add("key_too_long", [...key].length > 128);
    add("key_invalid_characters", /[^A-Za-z0-9_.:-]/u.test(key));
    add("key_reserved_prefix", key.startsWith("oc:"));
    const value = tags[key];
    if (typeof value !== "string") {
      add("value_not_string", true);
      continue;
    }
    add("value_too_long", [...value].length > 256);
    add("value_not_unicode", [...value].some(isLone));
    add("value_contains_nul", value.includes("\0"));
  }
  return codes;
}

test("validateTags agrees with a naive reference", () => {
  fc.assert(
    fc.property(fc.oneof(tags, validTags), (tags) => {
      const found = validateTags(tags).map(({ code, key }) => [code, key]);
      expect(found).toEqual(reference(tags));
    }),
    RUNS,
  );
});

test("the checks of one field agree with validateTags", () => {
  fc.assert(
    fc.property(text, fc.oneof(text, fc.anything()), (key, value) => {
      const whole = validateTags(Object.fromEntries([[key, value]]));
      const fields = [...validateTagKey(key), ...validateTagValue(value)];
      expect(fields.map(({ code, message }) => [code, message])).toEqual(
        whole.map(({ code, message }) => [code, message]),
      );
    }),
    RUNS,
  );
});

test("a list of strings survives formatFilter and parseFilter", () => {
  const value = fc.oneof(
    fc.string({ unit: "grapheme-composite", maxLength: 40 }),
    fc
      .array(fc.constantFrom(",", '"', " ", "\t", "\u3000", "a", "é", "😀"))
      .map((cs) => cs.join("")),
  );
  const list = fc.array(
    value.filter((text) => !text.includes("\0")),
    { minLength: 1, maxLength: 100 },
  );
  fc.assert(
    fc.property(list, (values) => {
      expect(parseFilter(formatFilter(values))).toEqual([...new Set(values)]);
    }),
    RUNS,
  );
});

test("a cursor survives encodeCursor and decodeCursor", () => {
  const bare = fc.record({
    v: fc.double({ noNaN: true, noDefaultInfinity: true }),
    t: fc.string({ unit: "binary" }),
  });
  fc.assert(
    fc.property(bare, (cursor) => {
      const decoded = decodeCursor(encodeCursor(cursor));
      expect(decoded).toEqual(cursor);
    }),
    RUNS,
  );
});

/** Runs a function that may work or fail with an OpenComputerError. */
function worksOrIsRefused(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof OpenComputerError)) throw error;
  }
}

test("decodeCursor rejects any other text with an OpenComputerError", () => {
  const json = fc.json().map((json) => Buffer.from(json).toString("base64url"));
  fc.assert(
    fc.property(fc.oneof(text, json, fc.base64String(), fc.anything()), (cursor) => {
      worksOrIsRefused(() => decodeCursor(cursor as string));
    }),
    RUNS,
  );
});

test("every function fails only with an OpenComputerError", () => {
  const value = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSparseArray: true,
  });
  fc.assert(
    fc.property(value, (value) => {
      worksOrIsRefused(() => validateTags(value));
      worksOrIsRefused(() => validateTagKey(value as string));
      worksOrIsRefused(() => validateTagValue(value));
      worksOrIsRefused(() => parseFilter(value as string));
      worksOrIsRefused(() => formatFilter(value as string[]));
      worksOrIsRefused(() => encodeCursor(value as never));
    }),
    RUNS,
  );
  expect(validateTags({ team: "payments" })).toEqual([]);
  expect(LIMITS.maxTags).toBe(50);
});
