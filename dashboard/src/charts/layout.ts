import type { UsageBucket } from "@opencomputer/usage";
import { scaleLinear } from "d3-scale";
import { area, curveStepAfter, line } from "d3-shape";

/** A range of pixels that shows one bucket. */
export interface Column {
  readonly left: number;
  readonly right: number;
  /** The index of the bucket. */
  readonly bucket: number;
}

/** The vertical axis: values to pixels, with 0 at the bottom. */
export interface ValueAxis {
  readonly ticks: readonly number[];
  readonly y: (value: number) => number;
}

/** Narrow buckets touch each other; wider ones leave a gap of a pixel. */
const GAP_FROM = 6;
/** Keeps sums and scales finite. */
const LARGEST = 1e300;
const SMALLEST = 1e-300;

/** Returns a finite amount of at least zero. */
export const amount = (value: number | undefined): number =>
  value !== undefined && value > 0 ? Math.min(value, LARGEST) : 0;

/**
 * Returns where each bucket starts and where the last one ends, in pixels from 0 to `width`. Widths are proportional to
 * time, with a minimum for short partial buckets.
 */
export function bucketEdges(buckets: readonly UsageBucket[], width: number): number[] {
  const durations = buckets.map(({ from, to }) => amount(Date.parse(to) - Date.parse(from)));
  const total = durations.reduce((sum, duration) => sum + duration, 0);
  const minimum = Math.min(2, width / 4 / buckets.length);
  const spare = width - minimum * buckets.length;
  const edges = [0];
  let end = 0;
  for (const duration of durations) {
    end += minimum + (total > 0 ? (spare * duration) / total : spare / buckets.length);
    edges.push(Math.min(end, width));
  }
  return edges;
}

/** Returns the index of the bucket at a position. */
export function bucketAt(edges: readonly number[], position: number): number {
  let low = 0;
  let high = Math.max(edges.length - 2, 0);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((edges[middle] ?? 0) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Returns the columns of whole pixels. If several buckets share a pixel, it shows the one with the largest weight, so
 * that no peak disappears.
 */
export function pixelColumns(edges: readonly number[], weights: readonly number[]): Column[] {
  const columns: Column[] = [];
  let pending = -1;
  for (let bucket = 0; bucket + 1 < edges.length; bucket += 1) {
    const left = Math.round(edges[bucket] ?? 0);
    const right = Math.round(edges[bucket + 1] ?? 0);
    if (pending < 0 || amount(weights[bucket]) > amount(weights[pending])) pending = bucket;
    if (right <= left) continue;
    columns.push({ left, right, bucket: pending });
    pending = -1;
  }
  return columns;
}

/** Returns the gap between bars, in pixels. */
export const gapOf = (edges: readonly number[]): number =>
  (edges.at(-1) ?? 0) / Math.max(edges.length - 1, 1) >= GAP_FROM ? 1 : 0;

/**
 * Returns the lower and upper bounds of stacked series: the bounds of series `i` are the sums at `i` and `i + 1`. The
 * last sums are the totals.
 */
export function stackSeries(series: readonly (readonly number[])[], length: number): number[][] {
  let below = new Array<number>(length).fill(0);
  const sums = [below];
  for (const values of series) {
    below = below.map((sum, i) => Math.min(sum + amount(values[i]), LARGEST));
    sums.push(below);
  }
  return sums;
}

/** Returns the axis from 0 to a round number at or above `largest`, with ticks at multiples of `unit`. */
export function valueAxis(largest: number, unit: number, height: number): ValueAxis {
  const units = amount(largest) / unit;
  const isEmpty = units < SMALLEST;
  const scale = scaleLinear()
    .domain([0, isEmpty ? 1 : units])
    .range([height, 0])
    .nice(4);
  return {
    ticks: isEmpty ? [0] : scale.ticks(4).map((tick) => tick * unit),
    y: (value) => Math.round(scale(amount(value) / unit)),
  };
}

/** Returns the path of the area between two bounds: one bar per column, or connected steps without a gap. */
export function areaPath(
  columns: readonly Column[],
  lower: readonly number[],
  upper: readonly number[],
  y: (value: number) => number,
  gap: number,
): string {
  const bounds = columns.map(({ left, right, bucket }) => ({
    left,
    right,
    bottom: y(lower[bucket] ?? 0),
    top: y(upper[bucket] ?? 0),
  }));
  if (bounds.every(({ bottom, top }) => bottom === top)) return "";
  if (gap > 0) {
    return bounds
      .filter(({ bottom, top }) => bottom > top)
      .map(({ left, right, bottom, top }) => `M${left},${bottom}V${top}H${right - gap}V${bottom}Z`)
      .join("");
  }
  const last = bounds.at(-1);
  const steps = last ? [...bounds, { ...last, left: last.right }] : bounds;
  const path = area<(typeof steps)[number]>()
    .x(({ left }) => left)
    .y0(({ bottom }) => bottom)
    .y1(({ top }) => top)
    .curve(curveStepAfter);
  return path(steps) ?? "";
}

/** Returns the path of a level in each column, without lines between the columns. Zeros are left out. */
export function levelPath(
  columns: readonly Column[],
  values: readonly number[],
  y: (value: number) => number,
  gap: number,
): string {
  return columns
    .filter(({ bucket }) => amount(values[bucket]) > 0)
    .map(({ left, right, bucket }) => `M${left},${y(values[bucket] ?? 0)}H${right - gap}`)
    .join("");
}

/**
 * Returns the path of a line through the values: a step of 1 per value to the right, and whole steps of `height` up.
 * Whole numbers make it fast to write and to parse.
 */
export function sparkPath(values: readonly number[], height: number): string {
  const largest = values.reduce((most, value) => Math.max(most, amount(value)), 0);
  const points = values.length === 1 ? [...values, ...values] : values;
  const path = line<number>()
    .x((_, i) => i)
    .y((value) => (largest > 0 ? Math.round(height * (1 - amount(value) / largest)) : height))
    .digits(null);
  return path(points) ?? "";
}
