import { LIMITS, validateTags } from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import { entriesOf } from "../src/tags/merge.js";
import { asObject, check, newRow, placed, rowsOf } from "../src/tags/rows.js";

const messageOf = (tags: Record<string, string>) => validateTags(tags)[0]?.message;

describe("check", () => {
  test("accepts valid tags and ignores rows without text", () => {
    const checked = check([newRow("team", "payments"), newRow(), newRow("empty", "")]);
    expect(checked.isValid).toBe(true);
    expect(asObject(checked.tags)).toEqual({ team: "payments", empty: "" });
  });

  test("puts the API's messages beside the field that they are about", () => {
    const long = "x".repeat(LIMITS.maxTagValueCharacters + 1);
    const [key, value, system] = [newRow("te am", "x"), newRow("team", long), newRow("oc:a", "b")];
    const { faults, isValid } = check([key, value, system]);
    expect(isValid).toBe(false);
    expect(faults.get(key.id)).toEqual({ key: [messageOf({ "te am": "x" })], value: [] });
    expect(faults.get(value.id)).toEqual({ key: [], value: [messageOf({ team: long })] });
    expect(faults.get(system.id)).toEqual({ key: [messageOf({ "oc:a": "b" })], value: [] });
  });

  test("rejects a value without a key", () => {
    const row = newRow("", "payments");
    expect(check([row]).faults.get(row.id)?.key).toEqual([messageOf({ "": "payments" })]);
  });

  test("rejects a key in two rows, also if one of them removes it", () => {
    const [one, other, removing] = [newRow("a", "1"), newRow("a", "2"), newRow("b", "", true)];
    expect([...check([one, other]).faults.keys()]).toEqual([one.id, other.id]);
    expect(check([newRow("b", "1"), removing]).isValid).toBe(false);
    expect(check([one, removing]).isValid).toBe(true);
  });

  test("reports too many tags for the form as a whole", () => {
    const full = Array.from({ length: LIMITS.maxTags }, (_, index) => newRow(`k${index}`, "v"));
    expect(check(full).isValid).toBe(true);
    const { general, faults, isValid } = check([...full, newRow("one-more", "v")]);
    expect(general).toHaveLength(1);
    expect(faults.size).toBe(0);
    expect(isValid).toBe(false);
  });

  test("applies the rules for keys to those that are removed", () => {
    const row = newRow("oc:plan", "", true);
    expect(check([row]).faults.get(row.id)?.key).toEqual([messageOf({ "oc:plan": "" })]);
    expect(check([newRow("team", "", true)]).removed).toEqual(new Set(["team"]));
  });

  test("keeps keys that objects inherit", () => {
    const { tags } = check([newRow("__proto__", "x"), newRow("constructor", "y")]);
    expect(Object.entries(asObject(tags))).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
  });
});

test("rows are ordered by key", () => {
  const rows = rowsOf(entriesOf({ team: "a", env: "b" }));
  expect(rows.map(({ key }) => key)).toEqual(["env", "team"]);
});

test("violations of a server are placed by their key, also with unknown codes", () => {
  const rows = [newRow("team", "a"), newRow("env", "b")];
  const faults = placed(rows, [
    { code: "value_forbidden", key: "env", message: "not this value" },
    { code: "quota", key: "team", message: "not this key" },
    { code: "too_many_tags", key: null, message: "too many" },
  ]);
  expect([...faults.values()]).toEqual([
    { key: [], value: ["not this value"] },
    { key: ["not this key"], value: [] },
  ]);
});
