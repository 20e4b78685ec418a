import { useMemo } from "preact/hooks";
import { sparkPath } from "./layout.js";

const WIDTH = 96;
const HEIGHT = 24;
/** Keeps the stroke inside the box. */
const INSET = 1;

/** A small line of amounts over time, without axes. */
export function Sparkline(props: { readonly values: readonly number[]; readonly label: string }) {
  const { values, label } = props;
  return useMemo(
    () => (
      <svg class="sparkline" role="img" aria-label={label} width={WIDTH} height={HEIGHT}>
        <path
          d={sparkPath(values, WIDTH - 2 * INSET, HEIGHT - 2 * INSET)}
          transform={`translate(${INSET} ${INSET})`}
        />
      </svg>
    ),
    [values, label],
  );
}
