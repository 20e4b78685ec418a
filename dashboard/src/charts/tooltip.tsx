import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const DISTANCE = 12;
const MARGIN = 8;

interface Props {
  /** The range of the chart that it describes, in pixels from the left of the chart. */
  readonly left: number;
  readonly right: number;
  /** The height of the chart, in pixels. */
  readonly height: number;
  readonly children: ComponentChildren;
}

/** A box beside a range of a chart, or below the chart if neither side has room. It stays inside the viewport. */
export function Tooltip({ left, right, height, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  // Placed before the browser paints, and without another render.
  useLayoutEffect(() => {
    const { current } = box;
    const chart = current?.parentElement?.getBoundingClientRect();
    if (!current || !chart) return;
    const size = current.getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const [least, most] = [MARGIN - chart.left, clientWidth - MARGIN - chart.left - size.width];
    const [after, before] = [right + DISTANCE, left - DISTANCE - size.width];
    const isBeside = after <= most || before >= least;
    const x = after <= most ? after : isBeside ? before : (left + right - size.width) / 2;
    const y = isBeside ? MARGIN : height + MARGIN;
    const highest = MARGIN - chart.top;
    const lowest = clientHeight - MARGIN - chart.top - size.height;
    current.style.left = `${Math.max(least, Math.min(x, most))}px`;
    current.style.top = `${Math.max(highest, Math.min(y, lowest))}px`;
  });
  return (
    <div class="chart-tooltip" ref={box} aria-hidden="true">
      {children}
    </div>
  );
}
