import type { UsageBucket } from "@opencomputer/usage";
import type { ComponentChildren } from "preact";
import { useId, useMemo, useState } from "preact/hooks";
import { formatCount, formatDate, formatInstant } from "../format.js";
import { formatBucket, isDays } from "./bucket.js";
import { amount } from "./layout.js";

/** A column of numbers, one a bucket. */
export interface DataColumn {
  readonly key: string;
  readonly name: ComponentChildren;
  readonly values: readonly number[];
  readonly format: (value: number) => string;
  /** Formats what the cell tells on hover. */
  readonly exact?: (value: number) => string;
}

interface Props {
  readonly columns: readonly DataColumn[];
  readonly buckets: readonly UsageBucket[];
  readonly interval: string;
  readonly timeZone: string;
  readonly label: string;
}

/** The rows shown at a time: as many as are built and laid out without a noticeable delay. */
const PAGE = 100;

/** A button that shows the data of a chart as a table. */
export function DataTable(props: Props) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <>
      <button
        type="button"
        class="quiet chart-table-toggle"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        {open ? "Hide table" : "Show data as table"}
      </button>
      <div id={id}>{open && <Table {...props} />}</div>
    </>
  );
}

function Table({ columns, buckets, interval, timeZone, label }: Props) {
  const [wanted, setPage] = useState(0);
  const last = Math.max(Math.ceil(buckets.length / PAGE) - 1, 0);
  const page = Math.min(wanted, last);
  const start = page * PAGE;
  const end = Math.min(start + PAGE, buckets.length);
  const rows = useMemo(
    () => (
      <tbody>
        {buckets.slice(start, end).map((bucket, i) => (
          <tr key={bucket.from}>
            <th scope="row">{formatRow(bucket, interval, timeZone)}</th>
            {columns.map(({ key, values, format, exact }) => {
              const value = amount(values[start + i]);
              return (
                <td class="number" key={key} title={exact?.(value)}>
                  {format(value)}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    ),
    [start, end, columns, buckets, interval, timeZone],
  );
  return (
    <>
      <section
        class="chart-table"
        aria-label={`${label}, table`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls the region
        tabIndex={0}
      >
        <table>
          <thead>
            <tr>
              <th scope="col">Start</th>
              {columns.map(({ key, name }) => (
                <th scope="col" class="number" key={key}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          {rows}
        </table>
      </section>
      {last > 0 && (
        <p class="chart-table-pages">
          <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
            Earlier
          </button>
          <button type="button" disabled={page === last} onClick={() => setPage(page + 1)}>
            Later
          </button>
          <span class="muted" aria-live="polite">
            {formatCount(start + 1)}–{formatCount(end)} of {formatCount(buckets.length)}
          </span>
        </p>
      )}
    </>
  );
}

/** Formats the start of a bucket, and the end of one that the window cuts. */
function formatRow(bucket: UsageBucket, interval: string, timeZone: string): string {
  if (bucket.partial) return `${formatBucket(bucket, interval, timeZone)}, partial`;
  return (isDays(interval) ? formatDate : formatInstant)(bucket.from, timeZone);
}
