import type { Core } from "./core.js";

/** A page as the core returns it, with positions of lists in place of some lists of numbers. */
interface PackedPage {
  readonly total: Packed;
  readonly untagged?: Packed | null;
  readonly items: readonly Packed[];
}

interface Packed {
  readonly series?: Record<string, number[] | number>;
}

/** A list of doubles to copy: engines store a copy as plain memory of the right size, instead of growing an array. */
const blank: number[] = [];

/** Replaces each position in the series of a page by its list, which the core has parsed. */
export function unpackSeries(result: unknown, { exports }: Core): void {
  if (!isPageWithBuckets(result)) return;
  // Each list follows its length.
  const lists = new Float64Array(exports.memory.buffer, exports.numbers());
  const unpack = (position: number) => {
    const length = lists[position] as number;
    while (blank.length < length) blank.push(0.5);
    const list = blank.slice(0, length);
    for (let i = 0; i < length; i++) list[i] = lists[position + 1 + i] as number;
    return list;
  };
  for (const { series = {} } of [
    result.total,
    result.untagged ?? {},
    ...result.items,
  ] as Packed[]) {
    for (const [metric, list] of Object.entries(series)) {
      if (typeof list === "number") series[metric] = unpack(list);
    }
  }
}

function isPageWithBuckets(result: unknown): result is PackedPage {
  const { buckets, items } = (result ?? {}) as Record<string, unknown>;
  return buckets !== undefined && items !== undefined;
}
