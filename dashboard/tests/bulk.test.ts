import { LIMITS, validateTags } from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import {
  type Change,
  canRetry,
  type Item,
  plan,
  planned,
  tally,
  wasTried,
} from "../src/tags/bulk.js";
import { entriesOf } from "../src/tags/merge.js";

const change = (set: Record<string, string>, ...remove: string[]): Change => ({
  set: entriesOf(set),
  remove: new Set(remove),
});

describe("plan", () => {
  test("tells what is added, changed, removed and unchanged", () => {
    const before = entriesOf({ team: "a", env: "dev", owner: "kim", rest: "kept" });
    const made = plan(before, change({ team: "b", env: "dev", note: "" }, "owner", "absent"));
    expect(made.effects).toEqual([
      { kind: "changed", key: "team", before: "a", after: "b" },
      { kind: "unchanged", key: "env", before: "dev", after: "dev" },
      { kind: "added", key: "note", before: undefined, after: "" },
      { kind: "removed", key: "owner", before: "kim", after: undefined },
      { kind: "unchanged", key: "absent", before: undefined, after: undefined },
    ]);
    expect(Object.fromEntries(made.tags)).toEqual({
      team: "b",
      env: "dev",
      note: "",
      rest: "kept",
    });
    expect(made.isUnchanged).toBe(false);
  });

  test("is refused with the API's text if a sandbox would have too many tags", () => {
    const full = Array.from({ length: LIMITS.maxTags }, (_, index) => [`k${index}`, "v"] as const);
    const made = plan(new Map(full), change({ "one-more": "v" }));
    expect(made.violations).toEqual(validateTags(Object.fromEntries([...full, ["one-more", "v"]])));
    expect(made.violations).toHaveLength(1);
    expect(plan(new Map(full), change({ "one-more": "v" }, "k0")).violations).toEqual([]);
  });
});

describe("planned", () => {
  test("writes nothing to a sandbox that has the tags already", () => {
    const progress = planned(entriesOf({ team: "a" }), '"1"', change({ team: "a" }, "owner"));
    expect(progress.step).toBe("unchanged");
  });

  test("keeps the condition of the tags that were read", () => {
    const progress = planned(entriesOf({}), '"1"', change({ team: "a" }));
    expect(progress).toMatchObject({ step: "planned", ifMatch: '"1"' });
  });

  test("sets a sandbox aside that would be refused", () => {
    const progress = planned(entriesOf({}), '"1"', change({ "": "a" }));
    expect(progress).toMatchObject({ step: "refused", violations: validateTags({ "": "a" }) });
  });
});

test("the states of sandboxes tell what is left to do", () => {
  const made = plan(entriesOf({}), change({ team: "a" }));
  const item = (id: string, progress: Item["progress"]): Item => ({
    id,
    alias: undefined,
    progress,
  });
  const items = [
    item("1", { step: "unread" }),
    item("2", { step: "planned", plan: made, ifMatch: '"1"' }),
    item("3", { step: "done", plan: made }),
    item("4", { step: "conflict", plan: made }),
    item("5", { step: "unchanged", plan: made }),
    item("6", { step: "refused", plan: made, violations: [] }),
    item("7", { step: "failed", plan: undefined, error: new Error("no server") }),
  ];
  expect(items.filter(canRetry).map(({ id }) => id)).toEqual(["1", "4", "7"]);
  expect(items.filter(wasTried).map(({ id }) => id)).toEqual(["3", "4"]);
  expect(tally([...items, item("8", { step: "writing", plan: made })])).toEqual(
    new Map([
      ["unread", 1],
      ["planned", 2],
      ["done", 1],
      ["conflict", 1],
      ["unchanged", 1],
      ["refused", 1],
      ["failed", 1],
    ]),
  );
});
