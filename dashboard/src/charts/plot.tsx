import type { UsageBucket } from "@opencomputer/usage";
import type { ComponentChildren } from "preact";
import { useId, useMemo, useRef, useState } from "preact/hooks";
import { type Active, moveActive, pointed } from "./active.js";
import {
  areaPath,
  bucketEdges,
  type Column,
  gapOf,
  pixelColumns,
  stackSeries,
  valueAxis,
} from "./layout.js";
import { CHARACTER, fittingTicks, tickLevels } from "./time-axis.js";
import { Tooltip } from "./tooltip.js";
import { useWidth } from "./use-width.js";

const HEIGHT = 280;
const TOP = 26;
const BOTTOM = 26;
const PLOT = HEIGHT - TOP - BOTTOM;
const NARROWEST_OUTLINE = 3;

/** A part of the stack. */
export interface Layer {
  readonly key: string;
  readonly class: string;
  readonly values: readonly number[];
}

/** The parts of the geometry that lines over the stack need. */
export interface Geometry {
  readonly columns: readonly Column[];
  readonly gap: number;
  readonly y: (value: number) => number;
}

interface Props {
  /** The parts of the stack, from the bottom. */
  readonly layers: readonly Layer[];
  readonly buckets: readonly UsageBucket[];
  readonly interval: string;
  readonly timeZone: string;
  readonly label: string;
  /** Keyboard instructions for screen readers. */
  readonly help: string;
  /** The unit of the vertical axis. */
  readonly caption: string;
  /** The size of the unit of round ticks. */
  readonly unit: number;
  readonly formatTick: (value: number) => string;
  /** Values above the stack, which the axis has room for. */
  readonly peaks?: readonly number[];
  /** The key of the layer that others are dimmed for. */
  readonly emphasized?: string | null;
  /** Lines over the stack; the function must be stable. */
  readonly lines?: (geometry: Geometry) => ComponentChildren;
  readonly tooltip: (active: Active) => ComponentChildren;
  /** Describes a bucket, and a layer of it, to screen readers. */
  readonly describe: (active: Active) => string;
  readonly canSelect?: (layer: number) => boolean;
  /** If set, pointer and keyboard tell layers apart; without it, they only tell buckets apart. */
  readonly onSelect?: (layer: number) => void;
}

/** Stacked amounts over time, with axes, a highlight that follows pointer and keyboard, and a tooltip. */
export function Plot(props: Props) {
  const { layers, buckets, interval, timeZone, caption, unit, formatTick, peaks, lines } = props;
  const root = useRef<HTMLDivElement>(null);
  const width = useWidth(root);
  const id = useId();
  const [shown, setActive] = useState<Active | null>(null);
  const [announced, setAnnounced] = useState("");
  const layered = props.onSelect !== undefined;
  const isCurrent = shown && shown.bucket < buckets.length && (shown.layer ?? 0) < layers.length;
  const active = isCurrent ? shown : null;

  const sums = useMemo(
    () =>
      stackSeries(
        layers.map(({ values }) => values),
        buckets.length,
      ),
    [layers, buckets],
  );
  const levels = useMemo(
    () => tickLevels(buckets, interval, timeZone),
    [buckets, interval, timeZone],
  );
  const geometry = useMemo(() => {
    const totals = sums.at(-1) ?? [];
    const weights = totals.map((total, i) => Math.max(total, peaks?.[i] ?? 0));
    const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    const axis = valueAxis(largest, unit, PLOT);
    const texts = axis.ticks.map(formatTick);
    const left = Math.ceil(Math.max(0, ...texts.map((text) => text.length)) * CHARACTER) + 10;
    const plotWidth = Math.max(width - left, 1);
    const edges = bucketEdges(buckets, plotWidth);
    const columns = pixelColumns(edges, weights);
    const ticks = fittingTicks(levels, edges, plotWidth);
    return { axis, texts, left, plotWidth, edges, columns, gap: gapOf(edges), ticks, y: axis.y };
  }, [sums, peaks, levels, buckets, unit, formatTick, width]);
  const { axis, texts, left, plotWidth, edges, columns, gap, ticks, y } = geometry;

  const areas = useMemo(
    () => layers.map((_, i) => areaPath(columns, sums[i] ?? [], sums[i + 1] ?? [], y, gap)),
    [layers, sums, columns, y, gap],
  );
  const emphasized = props.emphasized ?? null;
  const drawn = useMemo(
    () => (
      <>
        {axis.ticks.map((tick, i) => (
          <g key={tick} class={tick === 0 ? "baseline" : "gridline"}>
            <line x1={0} x2={plotWidth} y1={y(tick) + 0.5} y2={y(tick) + 0.5} />
            <text x={-8} y={y(tick)} dy="0.35em" text-anchor="end">
              {texts[i]}
            </text>
          </g>
        ))}
        {ticks.map(({ bucket, text }) => {
          const x = Math.round(edges[bucket] ?? 0) + 0.5;
          return (
            <g key={bucket} class="tick">
              <line x1={x} x2={x} y1={PLOT} y2={PLOT + 6} />
              <text x={x + 4} y={PLOT + 17}>
                {text}
              </text>
            </g>
          );
        })}
        {layers.map((layer, i) => (
          <path
            key={layer.key}
            class={`layer ${gap > 0 ? "bars " : ""}${layer.class}`}
            d={areas[i]}
            fill={layer.class.includes("hatched") ? `url(#${id}-hatch)` : undefined}
            data-dim={emphasized !== null && emphasized !== layer.key ? "" : undefined}
          />
        ))}
        {buckets.flatMap(({ from, partial }, i) => {
          if (!partial) return [];
          const x = Math.round(edges[i] ?? 0);
          const end = Math.max(Math.round(edges[i + 1] ?? 0), x + 1);
          const fill = `url(#${id}-partial)`;
          return [<rect key={from} fill={fill} x={x} width={end - x} height={PLOT} />];
        })}
        {lines?.(geometry)}
      </>
    ),
    [geometry, areas, layers, buckets, emphasized, lines, id],
  );

  const announce = (next: Active | null) => {
    setActive(next);
    setAnnounced(next ? props.describe(next) : "");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter") {
      if (active?.layer != null) props.onSelect?.(active.layer);
    } else if (event.key === "Escape") {
      if (!active) return;
      announce(null);
    } else {
      const next = moveActive(active, event.key, buckets.length, layered ? layers.length : 0);
      if (!next) return;
      announce(next);
    }
    event.preventDefault();
  };
  const atPointer = (event: MouseEvent): Active | null => {
    const box = root.current?.getBoundingClientRect();
    if (!box || buckets.length === 0) return null;
    const position = { x: event.clientX - box.left - left, y: event.clientY - box.top - TOP };
    return pointed(position, edges, layered ? sums : [], y);
  };
  const onPointer = (event: PointerEvent) => {
    const next = atPointer(event);
    if (next?.bucket !== active?.bucket || next?.layer !== active?.layer) setActive(next);
  };
  const onClick = (event: MouseEvent) => {
    const next = atPointer(event);
    setActive(next);
    // A tap shows the tooltip; the legend selects.
    if ((event as PointerEvent).pointerType === "touch") return;
    if (next?.layer != null) props.onSelect?.(next.layer);
  };

  const bucket = active?.bucket ?? 0;
  const start = left + Math.round(edges[bucket] ?? 0);
  const end = Math.max(left + Math.round(edges[bucket + 1] ?? 0), start + 1);
  const selectable = active?.layer != null && props.canSelect?.(active.layer);
  return (
    <div
      class="plot"
      ref={root}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move over the buckets
      tabIndex={0}
      role="application"
      aria-label={props.label}
      aria-describedby={`${id}-help`}
      data-selectable={selectable ? "" : undefined}
      onKeyDown={onKeyDown}
      onPointerMove={onPointer}
      onPointerLeave={() => setActive(null)}
      onBlur={() => announce(null)}
      onClick={onClick}
    >
      {active && <div class="background" style={box(start, TOP, end - start, PLOT)} />}
      <svg width={width} height={HEIGHT} aria-hidden="true">
        <defs>
          <pattern
            id={`${id}-hatch`}
            class="hatch"
            width="6"
            height="6"
            patternUnits="userSpaceOnUse"
          >
            <rect width="6" height="6" />
            <path d="M-1,1l2,-2M0,6l6,-6M5,7l2,-2" />
          </pattern>
          <pattern id={`${id}-partial`} width="6" height="6" patternUnits="userSpaceOnUse">
            <path d="M-1,5l2,2M0,0l6,6M5,-1l2,2" />
          </pattern>
        </defs>
        <text class="caption" x={0} y={12}>
          {caption}
        </text>
        {width > 0 && <g transform={`translate(${left} ${TOP})`}>{drawn}</g>}
      </svg>
      {active && <Highlight {...{ active, sums, y, start, end, gap }} />}
      {active && (
        <Tooltip left={start} right={end} height={HEIGHT}>
          {props.tooltip(active)}
        </Tooltip>
      )}
      <p class="visually-hidden" id={`${id}-help`}>
        {props.help}
      </p>
      <p class="visually-hidden" aria-live="polite">
        {announced}
      </p>
    </div>
  );
}

interface HighlightProps extends Pick<Geometry, "y" | "gap"> {
  readonly active: Active;
  readonly sums: readonly (readonly number[])[];
  /** The range of the bucket, in pixels from the left of the chart. */
  readonly start: number;
  readonly end: number;
}

/** A line through a bucket too narrow for its background, and the outline of the active layer. */
function Highlight({ active, sums, y, start, end, gap }: HighlightProps) {
  const width = end - start - gap;
  const bottom = y(sums[active.layer ?? -1]?.[active.bucket] ?? 0);
  const top = y(sums[(active.layer ?? -1) + 1]?.[active.bucket] ?? 0);
  return (
    <>
      {gap === 0 && <div class="crosshair" style={box(start, TOP, 1, PLOT)} />}
      {active.layer !== null && width >= NARROWEST_OUTLINE && (
        <div class="outline" style={box(start, TOP + top, width, Math.max(bottom - top, 1))} />
      )}
    </>
  );
}

const box = (left: number, top: number, width: number, height: number) => ({
  left: `${left}px`,
  top: `${top}px`,
  width: `${width}px`,
  height: `${height}px`,
});
