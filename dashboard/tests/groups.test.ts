import { LIMITS } from "@opencomputer/usage";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batches, conditionsOfBatch } from "../src/usage/before.js";
import {
  type Amounts,
  type AnyPage,
  addsUp,
  changeOf,
  chartGroups,
  conditionsOf,
  itemsAddUp,
  type Row,
  seriesAddUp,
  toReport,
  untaggedName,
} from "../src/usage/groups.js";

const amounts = (...series: number[]): Amounts => {
  const sum = series.reduce((sum, value) => sum + value, 0);
  return {
    memoryGbSeconds: sum,
    diskOverageGbSeconds: 0,
    series: { memoryGbSeconds: series, diskOverageGbSeconds: series.map(() => 0) },
  };
};

const teams = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    tagKey: "team",
    tagValue: `team-${i}`,
    sandboxCount: 1,
    ...amounts(count - i, 0.1),
  }));

const page = (items: AnyPage["items"], total: Amounts, untagged: Amounts | null): AnyPage => ({
  from: "2026-03-01T00:00:00Z",
  to: "2026-03-03T00:00:00Z",
  asOf: "2026-04-01T00:00:00Z",
  timezone: "UTC",
  interval: "1d",
  buckets: [
    { from: "2026-03-01T00:00:00Z", to: "2026-03-02T00:00:00Z" },
    { from: "2026-03-02T00:00:00Z", to: "2026-03-03T00:00:00Z" },
  ],
  total,
  ...(untagged ? { untagged: { ...untagged, sandboxCount: 1 } } : {}),
  items,
  nextCursor: null,
});

describe("toReport", () => {
  test("reads the values of every kind of page", () => {
    const none = { memoryGbSeconds: 0, diskOverageGbSeconds: 0 };
    const tag = { tagKey: "team", tagValue: "", sandboxCount: 2, ...none };
    const group = { group: { "tag:team": null, region: "use2" }, sandboxCount: 3, ...none };
    const sandbox = { sandboxId: "sb-1", tags: {}, tagsLastUpdatedAt: null, ...none };
    const rowsOf = (groupBy: string[], item: AnyPage["items"][number]) =>
      toReport(groupBy, page([item], none, null)).rows;
    expect(rowsOf(["tag:team"], tag)).toMatchObject([{ values: [""], sandboxCount: 2 }]);
    expect(rowsOf(["tag:team", "region"], group)).toMatchObject([
      { values: [null, "use2"], sandboxCount: 3 },
    ]);
    expect(rowsOf(["sandbox"], sandbox)).toMatchObject([{ values: ["sb-1"], sandboxCount: null }]);
  });
});

describe("chartGroups", () => {
  test("has the eight largest groups, the rest and what is untagged, which add up to the total", () => {
    const items = teams(12);
    const untagged = amounts(5, 0.7);
    const total = amounts(12 * 6.5 + 5, 1.2 + 0.7);
    const groups = chartGroups(
      toReport(["tag:team"], page(items, total, untagged)),
      "memoryGbSeconds",
    );
    expect(groups.map(({ kind }) => kind)).toEqual([
      ...Array.from({ length: 8 }, () => "group"),
      "rest",
      "untagged",
    ]);
    expect(groups[8]?.values[0]).toBe(4 + 3 + 2 + 1);
    for (const bucket of [0, 1]) {
      const sum = groups.reduce((sum, { values }) => sum + (values[bucket] ?? 0), 0);
      expect(sum).toBeCloseTo(total.series?.memoryGbSeconds[bucket] ?? 0, 9);
    }
  });

  test("shows no rest that is only an error of rounding", () => {
    const items = teams(3);
    const total = amounts(6, 0.1 + 0.1 + 0.1 + Number.EPSILON);
    const groups = chartGroups(toReport(["tag:team"], page(items, total, null)), "memoryGbSeconds");
    expect(groups.map(({ kind }) => kind)).toEqual(["group", "group", "group"]);
  });

  test("leaves out groups without usage", () => {
    const groups = chartGroups(
      toReport(["tag:team"], page(teams(3), amounts(6, 0.3), amounts(0, 0))),
      "diskOverageGbSeconds",
    );
    expect(groups).toEqual([]);
  });
});

describe("sums", () => {
  test("add up within the rounding of floats, in any order", () => {
    const exact = fc.array(fc.integer({ min: 0, max: 1e12 }), { maxLength: 600 });
    fc.assert(
      fc.property(exact, (integers) => {
        const total = integers.reduce((sum, value) => sum + value, 0) / 1_024_000;
        expect(
          addsUp(
            integers.map((value) => value / 1_024_000),
            total,
          ),
        ).toBe(true);
      }),
    );
  });

  test("do not add up if a small part is missing", () => {
    const parts = Array.from({ length: 500 }, () => 1e6 / 3);
    expect(addsUp(parts, (1e6 / 3) * 500)).toBe(true);
    expect(addsUp(parts, (1e6 / 3) * 500 + 0.001)).toBe(false);
  });

  test("cover both metrics and what is untagged", () => {
    const part = { memoryGbSeconds: 1, diskOverageGbSeconds: 2 };
    expect(itemsAddUp([part], part, { memoryGbSeconds: 2, diskOverageGbSeconds: 4 })).toBe(true);
    expect(itemsAddUp([part], null, { memoryGbSeconds: 1, diskOverageGbSeconds: 3 })).toBe(false);
  });

  test("compare series with the amounts beside them", () => {
    const right = page(teams(2), amounts(3, 0.2), null);
    expect(seriesAddUp(toReport(["tag:team"], right))).toBe(true);
    const wrong = page(teams(2), { ...amounts(3, 0.2), memoryGbSeconds: 4 }, null);
    expect(seriesAddUp(toReport(["tag:team"], wrong))).toBe(false);
  });
});

test("returns a change as a fraction, or that there was nothing before", () => {
  expect(changeOf(150, 100)).toBe(0.5);
  expect(changeOf(0, 100)).toBe(-1);
  expect(changeOf(5, 0)).toBe("new");
  expect(changeOf(0, 0)).toBeNull();
});

test("names what lacks the dimensions", () => {
  expect(untaggedName(["tag:team", "tag:env"])).toBe("Untagged");
  expect(untaggedName(["region", "tag:env"])).toBe("No region or env");
});

test("filters by the values of a group, among them missing and empty ones", () => {
  expect(conditionsOf(["tag:team", "tag:env", "region"], ["a,b", "", null])).toEqual([
    { kind: "filter", dimension: "tag:team", text: '"a,b"' },
    { kind: "filter", dimension: "tag:env", text: '""' },
    { kind: "filter", dimension: "region", text: "" },
  ]);
});

test("returns no conditions for values that the API does not filter by", () => {
  expect(conditionsOf(["template"], ["x".repeat(257)])).toBeUndefined();
});

describe("batches", () => {
  const row = (...values: (string | null)[]): Row => ({
    key: JSON.stringify(values),
    values,
    amounts: { memoryGbSeconds: 1, diskOverageGbSeconds: 0 },
    sandboxCount: 1,
    sandbox: null,
  });
  const value = fc.option(fc.string({ unit: "grapheme", minLength: 1, maxLength: 80 }), {
    nil: null,
  });

  test("ask for every row within the limits of a query", () => {
    const rows = fc
      .array(fc.tuple(value, value), { maxLength: 500 })
      .map((all) => all.map(([one, other]) => row(one, other)));
    fc.assert(
      fc.property(rows, (rows) => {
        const all = batches(["tag:a", "tag:b"], rows);
        expect(new Set(all.flat())).toEqual(new Set(rows));
        for (const batch of all) {
          const sizes = [0, 1].map((i) => new Set(batch.map(({ values }) => values[i])).size);
          expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.maxFilterValues);
          expect((sizes[0] ?? 0) * (sizes[1] ?? 0)).toBeLessThanOrEqual(LIMITS.maxPageLimit);
          const conditions = conditionsOfBatch(["tag:a", "tag:b"], batch);
          const url = conditions.map(({ text }) => encodeURIComponent(text)).join("");
          expect(url.length).toBeLessThanOrEqual(LIMITS.maxQueryBytes / 2);
          for (const [i, { text }] of conditions.entries())
            expect(batch.every(({ values }) => (values[i] === null) === (text === ""))).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("are few if the combinations of the values fit on a page", () => {
    const rows = Array.from({ length: 500 }, (_, i) => row(`team-${i % 25}`, `env-${i % 20}`));
    expect(batches(["tag:team", "tag:env"], rows)).toHaveLength(1);
    expect(
      batches(
        ["tag:team"],
        Array.from({ length: 500 }, (_, i) => row(`${i}`)),
      ),
    ).toHaveLength(5);
  });
});
