import { useEffect, useState } from "preact/hooks";

/** Returns the first `step` items at once and `step` more in each frame, so that a long list delays no paint. */
export function useSteps<T>(items: readonly T[], step: number): readonly T[] {
  const [steps, setSteps] = useState({ items, count: step });
  const count = steps.items === items ? steps.count : step;
  useEffect(() => {
    if (count >= items.length) return;
    const frame = requestAnimationFrame(() => setSteps({ items, count: count + step }));
    return () => cancelAnimationFrame(frame);
  }, [items, count, step]);
  return items.slice(0, count);
}
