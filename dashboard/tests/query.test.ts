import { LIMITS } from "@opencomputer/usage";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withCondition } from "../src/conditions.js";
import {
  allowedIntervals,
  automaticInterval,
  changeQuery,
  readQuery,
  type ViewQuery,
  writeQuery,
} from "../src/usage/query.js";

const read = (text: string) => readQuery(new URLSearchParams(text));

const text = fc.string({ unit: "grapheme", minLength: 1 });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const dimension = fc.oneof(
  fc.constantFrom("template", "region", "status", "sandbox"),
  fc.string({ minLength: 1 }).map((key) => `tag:${key.replaceAll(",", "-")}`),
);
const span = fc.oneof(
  text.map((period) => ({ period, from: null, to: null })),
  fc
    .record({ from: optional(text), to: optional(text) })
    .filter(({ from, to }) => from !== null || to !== null)
    .map((dates) => ({ period: null, ...dates })),
);
const place = fc.oneof(
  fc.constant({ cursor: null, page: 1 }),
  fc.record({ cursor: text, page: fc.integer({ min: 1, max: 9_999 }) }),
);
const query: fc.Arbitrary<ViewQuery> = fc
  .record({
    span,
    place,
    timeZone: optional(text),
    interval: optional(text),
    groupBy: optional(fc.array(dimension, { minLength: 1, maxLength: 3 })),
    conditions: fc
      .array(
        fc.record({ kind: fc.constantFrom("filter", "exclude"), dimension, text: fc.string() }),
        { maxLength: 4 },
      )
      .map((conditions) => conditions.reduce(withCondition, [])),
    sort: text,
    limit: fc.integer(),
  })
  .map(({ span, place, ...rest }) => ({ ...span, ...place, ...rest }) as ViewQuery);

describe("the URL", () => {
  test("has no parameter for a default", () => {
    expect(writeQuery(read("")).toString()).toBe("");
    expect(read("").period).toBe("30d");
  });

  test("gives back every query that was written to it", () => {
    fc.assert(
      fc.property(query, (query) => {
        const url = writeQuery(query).toString();
        expect(readQuery(new URLSearchParams(url))).toEqual(query);
      }),
    );
  });

  test("uses the names of the API", () => {
    const url =
      "from=2026-03-01&to=2026-04-01&timezone=Europe/Paris&interval=1h&groupBy=tag:team,region";
    expect(read(url)).toMatchObject({
      period: null,
      from: "2026-03-01",
      to: "2026-04-01",
      timeZone: "Europe/Paris",
      interval: "1h",
      groupBy: ["tag:team", "region"],
    });
  });

  test("keeps a malformed limit, which the API explains", () => {
    expect(read("limit=many").limit).toBeNaN();
  });
});

describe("changeQuery", () => {
  test("returns to the first page", () => {
    expect(changeQuery(read("cursor=abc&page=3"), { timeZone: "UTC" })).toMatchObject({
      cursor: null,
      page: 1,
      timeZone: "UTC",
    });
  });

  test("drops an interval that has become too short", () => {
    const hours = read("period=90d&interval=1h");
    expect(changeQuery(hours, { groupBy: ["region"] }).interval).toBe("1h");
    expect(changeQuery(hours, { limit: LIMITS.maxPageLimit }).interval).toBeNull();
    const minutes = read("period=24h&interval=1m");
    expect(changeQuery(minutes, { period: "7d" }).interval).toBeNull();
  });
});

describe("intervals", () => {
  test.each([
    ["period=24h", ["1m", "1h", "1d", "1w", "1mo"]],
    ["period=24h&limit=500", ["1h", "1d", "1w", "1mo"]],
    ["period=90d", ["1h", "1d", "1w", "1mo"]],
    ["period=90d&limit=500", ["1d", "1w", "1mo"]],
    ["from=2026-03-01T00:00:00Z&to=2026-03-02T12:00:00Z", ["1m", "1h", "1d", "1w", "1mo"]],
  ])("of %s are %j", (url, intervals) => {
    expect(allowedIntervals(read(url))).toEqual(intervals);
  });

  test.each([
    ["period=24h", "1h"],
    ["period=month", "1d"],
    ["period=90d", "1d"],
    ["from=2026-03-01T00:00:00Z&to=2026-03-01T03:00:00Z", "1m"],
    ["from=2026-03-01&to=2026-03-04", "1h"],
    ["from=nonsense&to=2026-03-04", "1h"],
  ])("of %s are %s by default, also on the largest page", (url, interval) => {
    expect(automaticInterval(read(url))).toBe(interval);
    expect(allowedIntervals(read(`${url}&limit=500`))).toContain(interval);
  });
});
