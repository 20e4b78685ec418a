import type { UsageBucket } from "@opencomputer/usage";
import { useMemo, useState } from "preact/hooks";
import { formatExact, formatGbHours, formatGbSeconds, formatShortGbHours } from "../format.js";
import type { Active } from "./active.js";
import { formatBucket, intervalName } from "./bucket.js";
import { colorsOf, type GroupKind } from "./colors.js";
import { DataTable } from "./data-table.js";
import { amount } from "./layout.js";
import { Legend } from "./legend.js";
import { Plot } from "./plot.js";

/** A part of a stacked chart. */
export interface ChartGroup {
  readonly key: string;
  readonly name: string;
  readonly kind: GroupKind;
  /** GB-seconds, one number a bucket. */
  readonly values: readonly number[];
}

interface Props {
  /** The groups, from the bottom of the stack. */
  readonly groups: readonly ChartGroup[];
  readonly buckets: readonly UsageBucket[];
  readonly interval: string;
  readonly timeZone: string;
  readonly label: string;
  /** Called with the key of a group of the kind `group`. */
  readonly onSelect: (key: string) => void;
}

const HELP =
  "Left and right arrow keys move over time, up and down over groups. Enter filters by the group. " +
  "Escape clears.";

/** Usage by group over time, with a legend and the data as a table. */
export function StackedChart({ groups, buckets, interval, timeZone, label, onSelect }: Props) {
  const [emphasized, setEmphasized] = useState<string | null>(null);
  const entries = useMemo(() => {
    const colors = colorsOf(groups);
    return groups.map((group, i) => ({
      ...group,
      class: colors[i] ?? "",
      total: sum(group.values),
    }));
  }, [groups]);
  const totals = useMemo(
    () => buckets.map((_, i) => sum(groups.map(({ values }) => values[i]))),
    [groups, buckets],
  );
  const columns = useMemo(() => {
    const format = { format: formatGbHours, exact: formatGbSeconds };
    return [
      { key: "total", name: "Total, GB-hours", values: totals, ...format },
      ...groups.map(({ key, name, values }) => ({
        key: `group ${key}`,
        name: (
          <>
            <bdi>{name}</bdi>, GB-hours
          </>
        ),
        values,
        ...format,
      })),
    ];
  }, [groups, totals]);
  const select = (index: number) => {
    const group = groups[index];
    if (group?.kind === "group") onSelect(group.key);
  };
  const rangeOf = (bucket: number) => {
    const found = buckets[bucket];
    if (!found) return "";
    return formatBucket(found, interval, timeZone) + (found.partial ? ", partial" : "");
  };
  const describe = ({ bucket, layer }: Active) => {
    const total = `${formatGbHours(totals[bucket] ?? 0)} GB-hours`;
    const group = layer === null ? undefined : groups[layer];
    if (!group) return `${rangeOf(bucket)}: ${total}`;
    const part = formatGbHours(amount(group.values[bucket]));
    return `${group.name}: ${part} of ${total}, ${rangeOf(bucket)}`;
  };
  const tooltip = ({ bucket, layer }: Active) => {
    const rows = entries
      .map((entry, i) => ({ ...entry, value: amount(entry.values[bucket]), active: i === layer }))
      .sort((a, b) => b.value - a.value);
    const total = totals[bucket] ?? 0;
    return (
      <table>
        <caption>{rangeOf(bucket)}</caption>
        <thead>
          <tr>
            <th />
            <th class="number">GB-hours</th>
            <th class="number">GB-seconds</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, name, class: color, value, active }) => (
            <tr key={key} data-active={active ? "" : undefined}>
              <td>
                <span class={`swatch ${color}`} />
                <bdi>{name}</bdi>
              </td>
              <td class="number">{formatGbHours(value)}</td>
              <td class="number muted">{formatExact(value)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td>Total</td>
            <td class="number">{formatGbHours(total)}</td>
            <td class="number muted">{formatExact(total)}</td>
          </tr>
        </tfoot>
      </table>
    );
  };
  return (
    <figure class="chart">
      <Plot
        layers={entries}
        caption={`GB-hours per ${intervalName(interval)}`}
        unit={3_600}
        formatTick={formatShortGbHours}
        help={HELP}
        canSelect={(index) => groups[index]?.kind === "group"}
        onSelect={select}
        {...{ buckets, interval, timeZone, label, emphasized, tooltip, describe }}
      />
      <Legend
        entries={entries}
        total={sum(totals)}
        buckets={buckets}
        interval={interval}
        onEmphasize={setEmphasized}
        onSelect={onSelect}
      />
      <DataTable {...{ columns, buckets, interval, timeZone, label }} />
    </figure>
  );
}

const sum = (values: readonly (number | undefined)[]): number =>
  amount(values.reduce<number>((total, value) => total + amount(value), 0));
