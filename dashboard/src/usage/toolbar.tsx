import type { UsageInterval } from "@opencomputer/usage";
import { useState } from "preact/hooks";
import { Combobox } from "../components/combobox.js";
import { Conditions } from "../components/conditions.js";
import { Popover } from "../components/popover.js";
import { browserTimeZone } from "../format.js";
import { GroupByPicker } from "./group-by.js";
import { PeriodPicker } from "./period.js";
import {
  allowedIntervals,
  automaticInterval,
  INTERVALS,
  METRICS,
  type Metric,
  metricOf,
  type ViewQuery,
} from "./query.js";

interface Props {
  readonly query: ViewQuery;
  readonly onChange: (change: Partial<ViewQuery>) => void;
}

interface ToolbarProps extends Props {
  /** The dimensions; undefined until the default is known. */
  readonly groupBy: readonly string[] | undefined;
}

/** The controls of the view. */
export function Toolbar({ query, groupBy, onChange }: ToolbarProps) {
  return (
    <div class="toolbar">
      <div>
        <WindowPickers query={query} onChange={onChange} />
        <MetricPicker query={query} onChange={onChange} />
      </div>
      <div>
        <GroupByPicker groupBy={groupBy} onChange={(groupBy) => onChange({ groupBy })} />
        <Conditions
          conditions={query.conditions}
          onChange={(conditions) => onChange({ conditions })}
        />
      </div>
    </div>
  );
}

/** The controls of the window, its buckets and its time zone. */
export function WindowPickers(props: Props) {
  return (
    <>
      <PeriodPicker {...props} />
      <IntervalPicker {...props} />
      <ZonePicker {...props} />
    </>
  );
}

function IntervalPicker({ query, onChange }: Props) {
  const allowed: string[] = [...allowedIntervals(query)];
  if (query.interval !== null && !allowed.includes(query.interval)) allowed.push(query.interval);
  const nameOf = (interval: string) => INTERVALS[interval as UsageInterval]?.name ?? interval;
  return (
    <select
      aria-label="Interval"
      value={query.interval ?? ""}
      onChange={(event) => onChange({ interval: event.currentTarget.value || null })}
    >
      <option value="">{nameOf(automaticInterval(query))} (automatic)</option>
      {allowed.map((interval) => (
        <option key={interval} value={interval}>
          {nameOf(interval)}
        </option>
      ))}
    </select>
  );
}

function ZonePicker({ query, onChange }: Props) {
  const zone = query.timeZone ?? browserTimeZone();
  return (
    <Popover class="picker" label={zone} name={`Time zone: ${zone}`}>
      {(close) => (
        <ZoneEditor
          onChoose={(timeZone) => {
            close();
            onChange({ timeZone: timeZone === browserTimeZone() ? null : timeZone });
          }}
        />
      )}
    </Popover>
  );
}

function ZoneEditor({ onChoose }: { readonly onChoose: (timeZone: string) => void }) {
  const [text, setText] = useState("");
  return (
    <div class="zone">
      <h2>Time zone</h2>
      <Combobox
        name="Time zone"
        value={text}
        placeholder="Europe/Berlin"
        suggest={suggestZones}
        onInput={setText}
        onChoose={(zone) => {
          if (zone !== "") onChoose(zone);
        }}
      />
      <p class="muted">Days, weeks and months start and end in this time zone.</p>
    </div>
  );
}

function suggestZones(text: string) {
  const wanted = text.toLowerCase().replaceAll(" ", "_");
  const own = { value: browserTimeZone(), detail: "of this browser" };
  const others = ["UTC", ...Intl.supportedValuesOf("timeZone")]
    .filter((zone) => zone !== own.value)
    .map((value) => ({ value }));
  return [own, ...others].filter(({ value }) => value.toLowerCase().includes(wanted)).slice(0, 50);
}

function MetricPicker({ query, onChange }: Props) {
  const metric = metricOf(query);
  return (
    <fieldset class="segments" aria-label="Metric">
      {(Object.keys(METRICS) as Metric[]).map((each) => (
        <label key={each}>
          <input
            type="radio"
            name="metric"
            checked={each === metric}
            onChange={() => onChange({ sort: `-${each}` })}
          />
          <span>{METRICS[each]}</span>
        </label>
      ))}
    </fieldset>
  );
}
