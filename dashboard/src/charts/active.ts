import { bucketAt } from "./layout.js";

/** The bucket that the reader looks at, and the layer of it. */
export interface Active {
  readonly bucket: number;
  /** The index of the layer; null for all of them. */
  readonly layer: number | null;
}

/** Returns what a key moves to, or null if the key does not move or there is nothing to move over. */
export function moveActive(
  active: Active | null,
  key: string,
  buckets: number,
  layers: number,
): Active | null {
  if (buckets === 0) return null;
  const { bucket, layer } = active ?? { bucket: -1, layer: null };
  const last = buckets - 1;
  switch (key) {
    case "ArrowRight":
      return { bucket: Math.min(bucket + 1, last), layer };
    case "ArrowLeft":
      return { bucket: active ? Math.max(bucket - 1, 0) : last, layer };
    case "Home":
      return { bucket: 0, layer };
    case "End":
      return { bucket: last, layer };
    case "ArrowUp":
      if (layers === 0) return null;
      return { bucket: active ? bucket : last, layer: Math.min((layer ?? -1) + 1, layers - 1) };
    case "ArrowDown":
      if (layers === 0) return null;
      return { bucket: active ? bucket : last, layer: Math.max((layer ?? layers) - 1, 0) };
    default:
      return null;
  }
}

/** Returns the bucket at a position of the plot, and the layer under it. */
export function pointed(
  position: { readonly x: number; readonly y: number },
  edges: readonly number[],
  sums: readonly (readonly number[])[],
  y: (value: number) => number,
): Active {
  const bucket = bucketAt(edges, position.x);
  const layer = sums.findIndex((_, i) => {
    const [bottom, top] = [sums[i]?.[bucket], sums[i + 1]?.[bucket]];
    if (bottom === undefined || top === undefined) return false;
    return position.y <= y(bottom) && position.y > y(top);
  });
  return { bucket, layer: layer < 0 ? null : layer };
}
