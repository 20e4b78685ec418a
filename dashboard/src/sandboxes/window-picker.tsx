import type { UsageInterval } from "@opencomputer/usage";
import { href, navigate } from "../router.js";
import { INTERVALS, PERIODS, type Window } from "./window.js";

interface Props {
  readonly path: string;
  readonly params: URLSearchParams;
  readonly window: Window;
}

/** Chooses the window and the interval of a sandbox's usage. */
export function WindowPicker({ path, params, window: { period, interval } }: Props) {
  const go = (changes: Readonly<Record<string, string | undefined>>) => {
    const changed = new URLSearchParams(params);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) changed.delete(name);
      else changed.set(name, value);
    }
    navigate(href(path, changed));
  };
  const usual = PERIODS[period ?? "30d"].usual;
  const intervals: readonly UsageInterval[] = [
    ...new Set([...PERIODS[period ?? "90d"].intervals, interval]),
  ];
  return (
    <div class="window-picker">
      <select
        aria-label="Window"
        value={period ?? ""}
        onChange={({ currentTarget: { value } }) =>
          go({
            period: value === "30d" ? undefined : value,
            from: undefined,
            to: undefined,
            interval: undefined,
          })
        }
      >
        {period === undefined && <option value="">Dates of the link</option>}
        {Object.entries(PERIODS).map(([value, { name }]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label="Interval"
        value={interval}
        onChange={({ currentTarget: { value } }) =>
          go({ interval: value === usual ? undefined : value })
        }
      >
        {intervals.map((value) => (
          <option key={value} value={value}>
            {INTERVALS[value] ?? value}
          </option>
        ))}
      </select>
    </div>
  );
}
