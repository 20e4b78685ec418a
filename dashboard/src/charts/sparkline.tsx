import { useMemo } from "preact/hooks";
import { sparkPath } from "./layout.js";

const WIDTH = 96;
const HEIGHT = 24;
/** The steps of the vertical scale: ten a pixel. */
const STEPS = 10 * HEIGHT;

/** A small line of amounts over time, without axes. */
export function Sparkline(props: { readonly values: readonly number[]; readonly label: string }) {
  const { values, label } = props;
  return useMemo(
    () => (
      <svg
        class="sparkline"
        role="img"
        aria-label={label}
        width={WIDTH}
        height={HEIGHT}
        viewBox={`0 0 ${Math.max(values.length - 1, 1)} ${STEPS}`}
        preserveAspectRatio="none"
      >
        <path d={sparkPath(values, STEPS)} />
      </svg>
    ),
    [values, label],
  );
}
