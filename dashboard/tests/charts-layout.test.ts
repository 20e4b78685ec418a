import { describe, expect, test } from "vitest";
import { moveActive, pointed } from "../src/charts/active.js";
import { colorsOf } from "../src/charts/colors.js";
import {
  areaPath,
  bucketAt,
  bucketEdges,
  gapOf,
  levelPath,
  pixelColumns,
  sparkPath,
  stackSeries,
  valueAxis,
} from "../src/charts/layout.js";

const HOUR = 3_600_000;

/** Buckets of these lengths, in hours. */
function bucketsOf(...hours: number[]) {
  let end = 0;
  return hours.map((length) => {
    const from = new Date(end).toISOString();
    end += length * HOUR;
    return { from, to: new Date(end).toISOString() };
  });
}

const hourly = (count: number) => bucketsOf(...new Array<number>(count).fill(1));

describe("bucket edges", () => {
  test("give a bucket a width in proportion to its length", () => {
    const [start, middle, end] = bucketEdges(bucketsOf(24, 12), 304);
    expect(start).toBe(0);
    expect(middle).toBeCloseTo(202);
    expect(end).toBeCloseTo(304);
  });

  test("keep a short partial bucket visible", () => {
    const [, first] = bucketEdges(bucketsOf(0.001, 24, 24), 600);
    expect(first).toBeGreaterThanOrEqual(2);
  });

  test.each([0, 1, 320, 2_500])("are finite, ascending and within a width of %i", (width) => {
    for (const buckets of [[], hourly(1), hourly(2_200), bucketsOf(0, 0)]) {
      const edges = bucketEdges(buckets, width);
      expect(edges).toHaveLength(buckets.length + 1);
      expect(edges.every((edge) => edge >= 0 && edge <= width)).toBe(true);
      expect(edges.toSorted((a, b) => a - b)).toEqual(edges);
    }
  });

  test("find the bucket at a position, also outside of the plot", () => {
    const edges = [0, 10, 20, 40];
    expect([-5, 0, 9.9, 10, 39, 400].map((x) => bucketAt(edges, x))).toEqual([0, 0, 0, 1, 2, 2]);
    expect(bucketAt([0], 3)).toBe(0);
  });
});

describe("columns", () => {
  test("cover the width without holes or overlaps", () => {
    const edges = bucketEdges(hourly(2_200), 1_300);
    const columns = pixelColumns(edges, []);
    expect(columns[0]?.left).toBe(0);
    expect(columns.at(-1)?.right).toBe(1_300);
    columns.forEach(({ left, right }, i) => {
      expect(right).toBeGreaterThan(left);
      if (i > 0) expect(left).toBe(columns[i - 1]?.right);
    });
  });

  test("show the largest of the buckets that share a pixel", () => {
    const weights = new Array<number>(2_200).fill(1);
    weights[1_234] = 50;
    const columns = pixelColumns(bucketEdges(hourly(2_200), 400), weights);
    expect(columns).toHaveLength(400);
    expect(columns.map(({ bucket }) => bucket)).toContain(1_234);
  });

  test("have a gap only if they are wide", () => {
    expect(gapOf(bucketEdges(hourly(30), 600))).toBe(1);
    expect(gapOf(bucketEdges(hourly(300), 600))).toBe(0);
    expect(gapOf([0])).toBe(0);
  });
});

describe("stacks", () => {
  test("add up from the bottom", () => {
    expect(
      stackSeries(
        [
          [1, 2],
          [3, 4],
        ],
        2,
      ),
    ).toEqual([
      [0, 0],
      [1, 2],
      [4, 6],
    ]);
  });

  test("count missing, negative and invalid numbers as zero, and stay finite", () => {
    expect(stackSeries([[Number.NaN, -1]], 3).at(-1)).toEqual([0, 0, 0]);
    const sums = stackSeries([[Number.MAX_VALUE], [Number.POSITIVE_INFINITY]], 1);
    expect(sums.flat().every(Number.isFinite)).toBe(true);
  });
});

describe("the value axis", () => {
  test("starts at zero, ends at a round number of its unit, and has few ticks", () => {
    const { ticks, y } = valueAxis(3_600 * 730, 3_600, 200);
    expect(ticks.map((tick) => tick / 3_600)).toEqual([0, 200, 400, 600, 800]);
    expect([y(0), y(3_600 * 400), y(3_600 * 800)]).toEqual([200, 100, 0]);
  });

  test("has only a zero without usage", () => {
    expect(valueAxis(0, 3_600, 200).ticks).toEqual([0]);
    expect(valueAxis(0, 3_600, 200).y(0)).toBe(200);
  });

  test.each([1e-300, 1e-9, 0.1, 1, 1e15, Number.MAX_VALUE, Number.NaN, Number.POSITIVE_INFINITY])(
    "is finite for %d",
    (largest) => {
      const { ticks, y } = valueAxis(largest, 3_600, 200);
      expect(ticks.length).toBeLessThanOrEqual(7);
      for (const value of [...ticks, largest]) {
        expect(Number.isFinite(y(value))).toBe(true);
        expect(y(value)).toBeGreaterThanOrEqual(0);
        expect(y(value)).toBeLessThanOrEqual(200);
      }
    },
  );
});

describe("paths", () => {
  const columns = [
    { left: 0, right: 10, bucket: 0 },
    { left: 10, right: 20, bucket: 1 },
  ];
  const y = (value: number) => 100 - value;

  test("of bars have one rectangle per amount, and a gap", () => {
    expect(areaPath(columns, [0, 0], [30, 0], y, 1)).toBe("M0,100V70H9V100Z");
  });

  test("of steps go along the top from left to right, and back along the bottom", () => {
    const path = areaPath(columns, [0, 10], [30, 40], y, 0);
    const points = (path.match(/[\d.]+,[\d.]+/g) ?? []).filter((p, i, all) => p !== all[i - 1]);
    expect(points).toEqual([
      "0,70",
      "10,70",
      "10,60",
      "20,60",
      "20,90",
      "10,90",
      "10,100",
      "0,100",
    ]);
  });

  test("of nothing are empty", () => {
    expect(areaPath(columns, [5, 5], [5, 5], y, 0)).toBe("");
    expect(areaPath([], [], [], y, 1)).toBe("");
    expect(levelPath(columns, [0, 0], y, 1)).toBe("");
    expect(sparkPath([], 240)).toBe("");
  });

  test("of levels leave out columns without a value", () => {
    expect(levelPath(columns, [0, 30], y, 1)).toBe("M10,70H19");
  });

  test("of sparklines go from zero to the largest value in whole steps", () => {
    expect(sparkPath([0, 5, 9.999, 10], 240)).toBe("M0,240L1,120L2,0L3,0");
  });

  test("of sparklines are level for a single value and for zeros", () => {
    expect(sparkPath([7], 240)).toBe("M0,0L1,0");
    expect(sparkPath([0, 0], 240)).toBe("M0,240L1,240");
    expect(sparkPath([Number.NaN, 1e308, 5e-324], 240)).toBe("M0,240L1,0L2,240");
  });
});

describe("the active bucket", () => {
  test("moves with the arrow keys and stays inside", () => {
    const right = moveActive(null, "ArrowRight", 3, 2);
    expect(right).toEqual({ bucket: 0, layer: null });
    expect(moveActive(right, "ArrowLeft", 3, 2)).toEqual({ bucket: 0, layer: null });
    expect(moveActive(null, "ArrowLeft", 3, 2)).toEqual({ bucket: 2, layer: null });
    expect(moveActive(right, "End", 3, 2)).toEqual({ bucket: 2, layer: null });
    expect(moveActive({ bucket: 2, layer: 1 }, "ArrowRight", 3, 2)).toEqual({
      bucket: 2,
      layer: 1,
    });
    expect(moveActive({ bucket: 2, layer: 1 }, "Home", 3, 2)).toEqual({ bucket: 0, layer: 1 });
  });

  test("moves over the layers, up from the lowest and down from the highest", () => {
    const start = { bucket: 1, layer: null };
    expect(moveActive(start, "ArrowUp", 3, 2)).toEqual({ bucket: 1, layer: 0 });
    expect(moveActive(start, "ArrowDown", 3, 2)).toEqual({ bucket: 1, layer: 1 });
    expect(moveActive({ bucket: 1, layer: 1 }, "ArrowUp", 3, 2)).toEqual({ bucket: 1, layer: 1 });
  });

  test("does not move for other keys, or without buckets or layers", () => {
    expect(moveActive(null, "a", 3, 2)).toBeNull();
    expect(moveActive(null, "ArrowRight", 0, 2)).toBeNull();
    expect(moveActive(null, "ArrowUp", 3, 0)).toBeNull();
  });

  test("is the one under the pointer, with the layer if there is one", () => {
    const sums = stackSeries(
      [
        [10, 10],
        [20, 0],
      ],
      2,
    );
    const at = (x: number, y: number) => pointed({ x, y }, [0, 50, 100], sums, (v) => 100 - v);
    expect(at(10, 95)).toEqual({ bucket: 0, layer: 0 });
    expect(at(10, 80)).toEqual({ bucket: 0, layer: 1 });
    expect(at(60, 80)).toEqual({ bucket: 1, layer: null });
  });
});

test("colors count the groups alone, and start over after the eighth", () => {
  const groups = new Array(9).fill({ kind: "group" });
  expect(colorsOf([{ kind: "rest" }, ...groups, { kind: "untagged" }])).toEqual([
    "series-rest",
    ...[1, 2, 3, 4, 5, 6, 7, 8, 1].map((color) => `series-${color}`),
    "series-untagged hatched",
  ]);
});
