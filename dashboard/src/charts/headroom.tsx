import type { UsageBucket, WithPoints } from "@opencomputer/usage";
import { useCallback, useMemo } from "preact/hooks";
import { formatExact, formatGbHours, formatGbSeconds, formatMb, formatShare } from "../format.js";
import type { Active } from "./active.js";
import { formatBucket, intervalName } from "./bucket.js";
import { DataTable } from "./data-table.js";
import { amount, levelPath } from "./layout.js";
import { PartialKey } from "./legend.js";
import { type Geometry, Plot } from "./plot.js";

type Point = WithPoints["points"][number];

interface Props {
  readonly points: readonly Point[];
  readonly buckets: readonly UsageBucket[];
  readonly interval: string;
  readonly timeZone: string;
  readonly label: string;
}

const HELP = "Left and right arrow keys move over time. Escape clears.";

/** Allocated and used memory of a sandbox over time, with the headroom between them. */
export function HeadroomChart({ points, buckets, interval, timeZone, label }: Props) {
  const series = useMemo(() => seriesOf(points), [points]);
  const { allocated, peaks, largest } = series;
  const lines = useCallback(
    ({ columns, gap, y }: Geometry) => (
      <>
        <path class="allocated" d={levelPath(columns, allocated, y, gap)} />
        <path class="peak" d={levelPath(columns, peaks, y, gap)} />
      </>
    ),
    [allocated, peaks],
  );
  const columns = useMemo(() => columnsOf(points), [points]);
  const rangeOf = (bucket: number) => {
    const found = buckets[bucket];
    if (!found) return "";
    return formatBucket(found, interval, timeZone) + (found.partial ? ", partial" : "");
  };
  const describe = ({ bucket }: Active) => {
    const point = points[bucket];
    if (!point) return rangeOf(bucket);
    const facts = rowsOf(point).map(({ name, mb }) => `${name} ${mb}`);
    return `${rangeOf(bucket)}: ${facts.join(", ")}`;
  };
  const tooltip = ({ bucket }: Active) => {
    const point = points[bucket];
    return (
      <table>
        <caption>{rangeOf(bucket)}</caption>
        <thead>
          <tr>
            <th />
            <th class="number">Memory</th>
            <th class="number">GB-hours</th>
            <th class="number">GB-seconds</th>
          </tr>
        </thead>
        <tbody>
          {point &&
            rowsOf(point).map(({ name, class: color, mb, gbSeconds }) => (
              <tr key={name}>
                <td>
                  <span class={`swatch ${color}`} />
                  {name}
                </td>
                <td class="number">{mb}</td>
                <td class="number">{gbSeconds !== undefined && formatGbHours(gbSeconds)}</td>
                <td class="number muted">{gbSeconds !== undefined && formatExact(gbSeconds)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    );
  };
  return (
    <figure class="chart">
      <Plot
        layers={series.layers}
        peaks={largest}
        caption={`Memory by ${intervalName(interval)}`}
        unit={series.unit}
        formatTick={formatTick}
        help={HELP}
        {...{ buckets, interval, timeZone, label, lines, tooltip, describe }}
      />
      <ul class="legend">
        {LEGEND.map(([color, name]) => (
          <li key={name}>
            <span>
              <span class={`swatch ${color}`} />
              {name}
            </span>
          </li>
        ))}
        <PartialKey {...{ buckets, interval }} />
      </ul>
      <DataTable {...{ columns, buckets, interval, timeZone, label }} />
    </figure>
  );
}

const formatTick = (mb: number): string => (mb === 0 ? "0" : formatMb(mb));

const LEGEND = [
  ["allocated", "Allocated"],
  ["used", "Used, mean"],
  ["peak", "Used, peak"],
  ["headroom", "Headroom: paid for, not used"],
  ["unmeasured hatched", "Allocated, without samples"],
] as const;

/** Returns what the chart draws, in MB. Without samples, the allocation is no headroom: its use is unknown. */
function seriesOf(points: readonly Point[]) {
  const allocated = points.map(({ allocatedMemoryMb }) => amount(allocatedMemoryMb));
  const used = points.map(({ usedMemoryMbAvg }) => amount(usedMemoryMbAvg));
  const peaks = points.map(({ usedMemoryMbPeak }) => amount(usedMemoryMbPeak));
  const free = allocated.map((mb, i) => Math.max(mb - (used[i] ?? 0), 0));
  const isMeasured = points.map(({ usedFraction }) => usedFraction !== null);
  const largest = allocated.map((mb, i) => Math.max(mb, peaks[i] ?? 0));
  return {
    allocated,
    peaks,
    largest,
    unit: largest.some((mb) => mb >= 1_024) ? 1_024 : 1,
    layers: [
      { key: "used", class: "used", values: used },
      {
        key: "headroom",
        class: "headroom",
        values: free.map((mb, i) => (isMeasured[i] ? mb : 0)),
      },
      {
        key: "unmeasured",
        class: "unmeasured hatched",
        values: free.map((mb, i) => (isMeasured[i] ? 0 : mb)),
      },
    ],
  };
}

interface Row {
  readonly name: string;
  readonly class: string;
  readonly mb: string;
  readonly gbSeconds?: number;
}

function rowsOf(point: Point): Row[] {
  const { memoryAllocatedGbSeconds: allocated, memoryUsedGbSeconds: used, usedFraction } = point;
  const rows = [
    {
      name: "Allocated",
      class: "allocated",
      mb: formatMb(point.allocatedMemoryMb),
      gbSeconds: allocated,
    },
  ];
  if (usedFraction === null) {
    return [...rows, { name: "Used", class: "unmeasured hatched", mb: "no samples" }];
  }
  return [
    ...rows,
    {
      name: `Used ${formatShare(usedFraction)}`,
      class: "used",
      mb: formatMb(point.usedMemoryMbAvg),
      gbSeconds: used,
    },
    { name: "Peak", class: "peak", mb: formatMb(point.usedMemoryMbPeak) },
    {
      name: "Headroom",
      class: "headroom",
      mb: formatMb(Math.max(point.allocatedMemoryMb - point.usedMemoryMbAvg, 0)),
      gbSeconds: Math.max(allocated - used, 0),
    },
  ];
}

function columnsOf(points: readonly Point[]) {
  const hours = { format: formatGbHours, exact: formatGbSeconds };
  return [
    {
      key: "allocated",
      name: "Allocated, GB-hours",
      values: points.map(({ memoryAllocatedGbSeconds }) => memoryAllocatedGbSeconds),
      ...hours,
    },
    {
      key: "used",
      name: "Used, GB-hours",
      values: points.map(({ memoryUsedGbSeconds }) => memoryUsedGbSeconds),
      ...hours,
    },
    {
      key: "mean",
      name: "Allocated, mean",
      values: points.map(({ allocatedMemoryMb }) => allocatedMemoryMb),
      format: formatMb,
    },
    {
      key: "used-mean",
      name: "Used, mean",
      values: points.map(({ usedMemoryMbAvg }) => usedMemoryMbAvg),
      format: formatMb,
    },
    {
      key: "peak",
      name: "Used, peak",
      values: points.map(({ usedMemoryMbPeak }) => usedMemoryMbPeak),
      format: formatMb,
    },
  ];
}
