import { describe, expect, test } from "vitest";
import { formatBucket } from "../src/charts/bucket.js";
import { bucketEdges } from "../src/charts/layout.js";
import { CHARACTER, fittingTicks, tickLevels } from "../src/charts/time-axis.js";

const HOUR = 3_600_000;

/** Contiguous buckets between these instants; a cut first or last one is partial. */
function between(instants: readonly string[], partial: readonly number[] = []) {
  return instants.slice(1).map((to, i) => ({
    from: instants[i] ?? "",
    to,
    ...(partial.includes(i) ? { partial: true } : {}),
  }));
}

const hours = (start: string, count: number) =>
  between(
    Array.from({ length: count + 1 }, (_, i) =>
      new Date(Date.parse(start) + i * HOUR).toISOString(),
    ),
  );

const startsOf = (buckets: readonly { from: string }[], ticks: readonly { bucket: number }[]) =>
  ticks.map(({ bucket }) => buckets[bucket]?.from);

describe("ticks", () => {
  test("of days are local midnights, also where clocks change", () => {
    // Clocks in Berlin went back on October 25, 2026.
    const buckets = hours("2026-10-23T22:00:00.000Z", 73);
    const days = tickLevels(buckets, "1h", "Europe/Berlin").find(({ length }) => length === 3);
    expect(startsOf(buckets, days ?? [])).toEqual([
      "2026-10-23T22:00:00.000Z",
      "2026-10-24T22:00:00.000Z",
      "2026-10-25T23:00:00.000Z",
    ]);
  });

  test("of a day that starts at 01:00 are at its start", () => {
    // Midnight did not exist in Cairo on April 24, 2026.
    const buckets = between([
      "2026-04-22T22:00:00Z",
      "2026-04-23T22:00:00Z",
      "2026-04-24T21:00:00Z",
    ]);
    const [days] = tickLevels(buckets, "1d", "Africa/Cairo");
    expect(days?.map(({ bucket }) => bucket)).toEqual([0, 1]);
  });

  test("skip an hour that does not exist, and mark an hour that exists twice once", () => {
    const spring = hours("2026-03-28T23:00:00.000Z", 6);
    const [each] = tickLevels(spring, "1h", "Europe/Berlin");
    expect(each).toHaveLength(6);
    const autumn = hours("2026-10-24T22:00:00.000Z", 6);
    const [once] = tickLevels(autumn, "1h", "Europe/Berlin");
    expect(once?.map(({ bucket }) => bucket)).toEqual([0, 1, 2, 4, 5]);
  });

  test("leave out a partial first bucket that starts within a day", () => {
    const buckets = between(
      ["2026-04-01T14:37:00Z", "2026-04-02T00:00:00Z", "2026-04-03T00:00:00Z"],
      [0],
    );
    const [days] = tickLevels(buckets, "1d", "UTC");
    expect(days?.map(({ bucket }) => bucket)).toEqual([1]);
  });

  test("mark the only bucket of a window", () => {
    const buckets = between(["2026-04-01T14:37:00Z", "2026-04-01T15:00:00Z"], [0]);
    const levels = tickLevels(buckets, "1d", "UTC");
    expect(fittingTicks(levels, [0, 300], 300)).toHaveLength(1);
  });

  test("are absent without buckets", () => {
    expect(fittingTicks(tickLevels([], "1d", "UTC"), [0], 300)).toEqual([]);
  });

  test.each([
    ["1m", "2026-04-01T22:17:00.000Z", 1 / 60],
    ["1h", "2026-10-24T09:00:00.000Z", 1],
    ["1d", "2026-02-27T23:00:00.000Z", 24],
    ["1w", "2026-01-05T00:00:00.000Z", 24 * 7],
    ["1mo", "2020-01-01T00:00:00.000Z", 24 * 31],
  ])("of %s never overlap and stay inside, at every width and count", (interval, start, length) => {
    for (const count of [1, 2, 3, 7, 31, 168, 2_200]) {
      const instants = Array.from({ length: count + 1 }, (_, i) =>
        new Date(Date.parse(start) + Math.round(i * length * HOUR)).toISOString(),
      );
      const buckets = between(instants);
      const levels = tickLevels(buckets, interval, "Europe/Berlin");
      for (const width of [250, 320, 768, 1_440, 2_500]) {
        const edges = bucketEdges(buckets, width);
        const ticks = fittingTicks(levels, edges, width);
        expect(ticks.length).toBeGreaterThan(0);
        let end = 0;
        for (const { bucket, text } of ticks) {
          const left = edges[bucket] ?? 0;
          expect(left).toBeGreaterThanOrEqual(end);
          end = left + text.length * CHARACTER;
          expect(end).toBeLessThanOrEqual(width);
        }
      }
    }
  });
});

describe("the range of a bucket", () => {
  const range = (from: string, to: string, interval: string, partial = false) =>
    formatBucket({ from, to, ...(partial ? { partial } : {}) }, interval, "Europe/Berlin");

  test("is one date for a day, also for one of 25 hours", () => {
    const day = range("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "1d");
    expect(day).toContain("25");
    expect(day).not.toContain("26,");
    expect(day).not.toContain(":");
  });

  test("ends with the last day of a week", () => {
    expect(range("2026-03-01T23:00:00Z", "2026-03-08T23:00:00Z", "1w")).toMatch(/2.*8/);
  });

  test("has times for hours and for partial days", () => {
    expect(range("2026-03-02T11:00:00Z", "2026-03-02T12:00:00Z", "1h")).toContain(":00");
    expect(range("2026-03-02T11:37:00Z", "2026-03-02T23:00:00Z", "1d", true)).toContain(":37");
  });
});
