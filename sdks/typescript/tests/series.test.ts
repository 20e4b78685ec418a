// The amounts over time, whose numbers the core parses itself.

import type { SandboxUsagePage, WithBuckets, WithSeries } from "@opencomputer/usage";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answering, failure, recorded } from "./support/calls.js";

type Page = SandboxUsagePage<WithSeries> & WithBuckets;

const WINDOW = { from: "2026-03-01T00:00:00Z", to: "2026-04-01T00:00:00Z" };
const QUERY = { ...WINDOW, interval: "1d" } as const;

/** Returns the text of a page with these lists, of which the first is that of the total. */
function body(lists: readonly (readonly [memory: string, disk: string])[]): string {
  const page = {
    ...WINDOW,
    asOf: "2026-04-19T14:02:00Z",
    groupBy: "sandbox",
    interval: "1d",
    timezone: "UTC",
    buckets: [WINDOW],
    nextCursor: null,
  };
  const [total, ...items] = lists.map(([memory, disk], i) => {
    const series = `{"memoryGbSeconds":${memory},"diskOverageGbSeconds":${disk}}`;
    const name = i > 0 ? `"sandboxId":"sb-${i}","tags":{},"tagsLastUpdatedAt":null,` : "";
    return `{${name}"memoryGbSeconds":1.5,"diskOverageGbSeconds":0,"series":${series}}`;
  });
  return `${JSON.stringify(page).slice(0, -1)},"total":${total},"items":[${items.join()}]}`;
}

async function read(text: string): Promise<Page> {
  return recorded(() => new Response(text))
    .client({ maxRetries: 0 })
    .usage.bySandbox(QUERY);
}

/** The lists of a page, the total's first. */
const listsOf = ({ total, items }: Page) =>
  [total, ...items].map(({ series }) => [series.memoryGbSeconds, series.diskOverageGbSeconds]);

describe("a series", () => {
  test("has exactly the numbers of the response", () => {
    const sum = fc.bigInt(0n, 1n << 70n).map((sum) => String(Number(sum) / 1_024_000_000));
    const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map(JSON.stringify);
    const digits = fc
      .tuple(fc.bigInt(0n, 10n ** 20n), fc.nat({ max: 30 }))
      .map(([digits, places]) => `${digits}.${"0".repeat(places)}${digits}`);
    const odd = fc.constantFrom("0", "-0", "0.0", "1e3", "9007199254740993", "0.30000000000000004");
    const list = fc
      .array(fc.oneof(sum, digits, double, odd), { maxLength: 8 })
      .chain((numbers) => fc.constantFrom(",", " , ").map((comma) => `[${numbers.join(comma)}]`));
    const property = fc.asyncProperty(
      fc.array(fc.tuple(list, list), { minLength: 1, maxLength: 5 }),
      async (lists) => {
        const page = await read(body(lists));
        expect(listsOf(page)).toEqual(lists.map((pair) => pair.map((list) => JSON.parse(list))));
      },
    );
    return fc.assert(property, { numRuns: 300 });
  });

  test("is a list that can be changed, copied and serialized", async () => {
    const page = await read(body([["[1.5,2.5]", "[0.0,0.0]"]]));
    const { series } = page.total;
    expect(Array.isArray(series.memoryGbSeconds)).toBe(true);
    expect(structuredClone(page.toJSON()).total.series).toEqual(series);
    expect(JSON.parse(JSON.stringify(page)).total.series.memoryGbSeconds).toEqual([1.5, 2.5]);
    series.memoryGbSeconds.push(3);
    expect((await read(body([["[7.5]", "[0]"]]))).total.series.memoryGbSeconds).toEqual([7.5]);
  });

  test("is not mixed up with that of an overlapping call", async () => {
    const pages = await Promise.all(
      Array.from({ length: 20 }, (_, i) => read(body([[`[${i}.25]`, "[0]"]]))),
    );
    expect(pages.map((page) => page.total.series.memoryGbSeconds)).toEqual(
      pages.map((_, i) => [i + 0.25]),
    );
  });

  test("can have 500 items and 240 buckets", async () => {
    const numbers = Array.from({ length: 240 }, (_, i) => (i * 7_919_000_123) / 1_024_000_000);
    const list = JSON.stringify(numbers);
    const page = await read(body(Array.from({ length: 501 }, () => [list, list] as const)));
    expect(page.items).toHaveLength(500);
    expect(listsOf(page)).toEqual(Array.from({ length: 501 }, () => [numbers, numbers]));
  });

  test.for(["[1,null]", '["1"]', "[1,]", "[01]", "[1.]", "7", "{}", "null"])(
    "that is %s makes the response invalid",
    async (list) => {
      expect(await failure(() => read(body([[list, "[0]"]])))).toHaveProperty(
        "name",
        "DecodeError",
      );
    },
  );
});

describe("the usage of one sandbox", () => {
  const memory = { memoryAllocatedGbSeconds: 8, memoryUsedGbSeconds: 2 };
  const totals = {
    ...memory,
    uptimeSeconds: 8,
    memoryAllocatedPeakMb: 1024,
    memoryUsedPeakMb: 300,
  };
  const point = {
    ...memory,
    ts: WINDOW.from,
    uptimeSeconds: 8,
    allocatedMemoryMb: 1024,
    usedMemoryMbAvg: 256,
    usedMemoryMbPeak: 300,
  };

  test("has a used fraction, which is null without samples", async () => {
    const unused = { ...point, memoryUsedGbSeconds: 0 };
    const none = { ...point, memoryUsedGbSeconds: 0, memoryAllocatedGbSeconds: 0 };
    const { client } = answering({
      ...WINDOW,
      sandboxId: "sb-1",
      asOf: "2026-04-19T14:02:00Z",
      interval: "1d",
      timezone: "UTC",
      buckets: [WINDOW, WINDOW, WINDOW],
      totals,
      points: [point, unused, none],
    });
    const usage = await client().usage.forSandbox("sb-1", QUERY);
    expect(usage.totals.usedFraction).toBe(0.25);
    expect(usage.points.map(({ usedFraction }) => usedFraction)).toEqual([0.25, null, null]);
    expect(usage.points[0]).toEqual({ ...point, usedFraction: 0.25 });
  });

  test("has no used fraction if the server sends no memory", async () => {
    const { client } = answering({ ...WINDOW, sandboxId: "sb-1", memoryGbSeconds: 1 });
    const usage = await client().usage.forSandbox("sb-1");
    expect(usage).toMatchObject({ totals: null, points: null });
  });
});
