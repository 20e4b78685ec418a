import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  differences,
  entriesOf,
  merge,
  type Side,
  sideOf,
  type TagEntries,
} from "../src/tags/merge.js";

const tags = (object: Record<string, string>): TagEntries => entriesOf(object);

describe("differences", () => {
  test("names the only side that changed a key", () => {
    const found = differences(
      tags({ team: "a", env: "dev", owner: "kim" }),
      tags({ team: "b", env: "dev", owner: "kim" }),
      tags({ team: "a", env: "prod" }),
    );
    expect(found.map(({ key, changedBy }) => [key, changedBy])).toEqual([
      ["env", "theirs"],
      ["owner", "theirs"],
      ["team", "mine"],
    ]);
  });

  test("leaves a key that both sides changed differently to the reader", () => {
    const base = tags({ team: "a" });
    expect(differences(base, tags({ team: "b" }), tags({ team: "c" }))).toEqual([
      { key: "team", base: "a", mine: "b", theirs: "c", changedBy: undefined },
    ]);
    expect(differences(base, tags({ team: "b" }), tags({}))[0]?.changedBy).toBeUndefined();
    expect(differences(base, tags({}), tags({ team: "c" }))[0]?.changedBy).toBeUndefined();
  });

  test("omits keys on which the sides agree", () => {
    expect(differences(tags({ a: "1" }), tags({ b: "2" }), tags({ b: "2" }))).toEqual([]);
  });

  test("tells an empty value from an absent tag", () => {
    expect(differences(tags({}), tags({ note: "" }), tags({}))).toEqual([
      { key: "note", base: undefined, mine: "", theirs: undefined, changedBy: "mine" },
    ]);
  });
});

describe("merge", () => {
  test("is incomplete until the reader has chosen", () => {
    const [base, mine, theirs] = [tags({ a: "1" }), tags({ a: "2" }), tags({ a: "3" })];
    const found = differences(base, mine, theirs);
    expect(merge(theirs, found, new Map())).toBeUndefined();
    expect(merge(theirs, found, new Map([["a", "mine"]]))).toEqual(mine);
    expect(merge(theirs, found, new Map([["a", "theirs"]]))).toEqual(theirs);
  });

  test("lets the reader overrule the only side that changed a key", () => {
    const [base, theirs] = [tags({ a: "1" }), tags({ a: "2" })];
    const found = differences(base, base, theirs);
    expect(merge(theirs, found, new Map())).toEqual(theirs);
    expect(merge(theirs, found, new Map([["a", "mine"]]))).toEqual(base);
  });

  test("keeps keys that objects inherit", () => {
    const mine = tags(JSON.parse('{"__proto__":"x","constructor":"y"}'));
    expect(merge(tags({}), differences(tags({}), mine, tags({})), new Map())).toEqual(mine);
  });
});

/** Few keys and values, so that the sides often meet. */
const someKey = fc.constantFrom("team", "env", "owner", "__proto__", "constructor");
const mapOf = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<ReadonlyMap<string, T>> =>
  fc.uniqueArray(fc.tuple(someKey, value), { selector: ([key]) => key }).map((all) => new Map(all));
const someTags = mapOf(fc.constantFrom("", "a", "b", "c"));
const someChoices = mapOf(fc.constantFrom<Side>("mine", "theirs"));

test("loses no change of either side unless the reader chose so", () => {
  fc.assert(
    fc.property(someTags, someTags, someTags, someChoices, (base, mine, theirs, choices) => {
      const found = differences(base, mine, theirs);
      const merged = merge(theirs, found, choices);
      const isOpen = found.some((each) => sideOf(each, choices) === undefined);
      expect(merged === undefined).toBe(isOpen);
      if (!merged) return;
      const keys = new Set([...base.keys(), ...mine.keys(), ...theirs.keys()]);
      for (const key of keys) {
        const [was, my, their] = [base.get(key), mine.get(key), theirs.get(key)];
        const choice = my === their ? undefined : choices.get(key);
        const expected = choice ? { mine: my, theirs: their }[choice] : my === was ? their : my;
        expect(merged.get(key)).toBe(expected);
      }
      expect([...merged.keys()].filter((key) => !keys.has(key))).toEqual([]);
    }),
  );
});
