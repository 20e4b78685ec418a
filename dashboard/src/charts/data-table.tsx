import type { UsageBucket } from "@opencomputer/usage";
import type { ComponentChildren } from "preact";
import { useId, useMemo, useState } from "preact/hooks";
import { useSteps } from "../components/steps.js";
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

/** The number of rows shown at a time. */
const PAGE = 100;

/** The number of rows that are rendered at a time: more than the region shows without scrolling. */
const STEP = 20;

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
    () =>
      buckets
        .slice(start, end)
        .map((bucket, i) => (
          <Row key={bucket.from} index={start + i} {...{ bucket, columns, interval, timeZone }} />
        )),
    [start, end, columns, buckets, interval, timeZone],
  );
  const rendered = useSteps(rows, STEP);
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
          <tbody>{rendered}</tbody>
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

interface RowProps extends Pick<Props, "columns" | "interval" | "timeZone"> {
  readonly bucket: UsageBucket;
  readonly index: number;
}

function Row({ bucket, index, columns, interval, timeZone }: RowProps) {
  return (
    <tr>
      <th scope="row">{formatRow(bucket, interval, timeZone)}</th>
      {columns.map(({ key, values, format, exact }) => {
        const value = amount(values[index]);
        return (
          <td class="number" key={key} title={exact?.(value)}>
            {format(value)}
          </td>
        );
      })}
    </tr>
  );
}

/** Formats the start of a bucket, and the end of one that the window cuts. */
function formatRow(bucket: UsageBucket, interval: string, timeZone: string): string {
  if (bucket.partial) return `${formatBucket(bucket, interval, timeZone)}, partial`;
  return (isDays(interval) ? formatDate : formatInstant)(bucket.from, timeZone);
}
