import { useState } from "preact/hooks";
import { Popover } from "../components/popover.js";
import { browserTimeZone, formatDate } from "../format.js";
import type { ViewQuery } from "./query.js";
import { addDays, isPeriod, localDate, PERIODS, type Period, periodWindow } from "./window.js";

interface Props {
  readonly query: ViewQuery;
  readonly onChange: (change: Partial<ViewQuery>) => void;
}

/** Chooses the window: a preset, or two dates. */
export function PeriodPicker({ query, onChange }: Props) {
  const name = periodName(query);
  return (
    <Popover label={name} name={`Period: ${name}`} class="picker period">
      {(close) => (
        <>
          <ul>
            {(Object.keys(PERIODS) as Period[]).map((period) => (
              <li key={period}>
                <button
                  type="button"
                  aria-pressed={period === query.period}
                  onClick={() => {
                    close();
                    onChange({ period, from: null, to: null });
                  }}
                >
                  {PERIODS[period]}
                </button>
              </li>
            ))}
          </ul>
          <Dates
            query={query}
            onApply={(from, to) => {
              close();
              onChange({ period: null, from, to });
            }}
          />
        </>
      )}
    </Popover>
  );
}

function periodName({ period, from, to }: ViewQuery): string {
  if (period !== null) return isPeriod(period) ? PERIODS[period] : period;
  if (from !== null && to !== null && isDate(from) && isDate(to))
    return `${formatDate(from, "UTC")} – ${formatDate(addDays(to, -1), "UTC")}`;
  return "Custom dates";
}

const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));

interface DatesProps {
  readonly query: ViewQuery;
  readonly onApply: (from: string, to: string) => void;
}

/** Asks for the first and the last day. The API's `to` is the day after the last. */
function Dates({ query, onApply }: DatesProps) {
  const [first, setFirst] = useState(() => daysOf(query)[0]);
  const [last, setLast] = useState(() => daysOf(query)[1]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onApply(first, addDays(last, 1));
  };
  return (
    <form onSubmit={submit}>
      <label>
        First day
        <input
          type="date"
          required
          value={first}
          max={last}
          onInput={(event) => setFirst(event.currentTarget.value)}
        />
      </label>
      <label>
        Last day
        <input
          type="date"
          required
          value={last}
          min={first}
          onInput={(event) => setLast(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary">
        Apply
      </button>
    </form>
  );
}

/** Returns the first and the last day of a window, or nothing where it is malformed. */
function daysOf({ period, from, to, timeZone }: ViewQuery): readonly [string, string] {
  const zone = timeZone ?? browserTimeZone();
  const window =
    period === null
      ? { from: from ?? "", to: to ?? "" }
      : periodWindow(isPeriod(period) ? period : "30d", new Date(), zone);
  return [dayOf(window.from, 0, zone), dayOf(window.to, 1, zone)];
}

/** Returns the day of a time, or of the time shortly before it. */
function dayOf(time: string, before: 0 | 1, timeZone: string): string {
  if (isDate(time)) return addDays(time, -before);
  const instant = Date.parse(time);
  return Number.isNaN(instant) ? "" : localDate(instant - before, timeZone);
}
