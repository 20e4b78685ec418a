import type { UsageBucket } from "@opencomputer/usage";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useMemo, useState } from "preact/hooks";
import { formatBucket } from "./bucket.js";

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

/** Rows that are built at a time, so that a long table does not block the page. */
const CHUNK = 100;

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
      <div id={id} hidden={!open}>
        {open && <Table {...props} />}
      </div>
    </>
  );
}

function Table({ columns, buckets, interval, timeZone, label }: Props) {
  const [chunks, setChunks] = useState(1);
  const isComplete = chunks * CHUNK >= buckets.length;
  useEffect(() => {
    if (isComplete) return;
    const timer = setTimeout(() => setChunks(chunks + 1));
    return () => clearTimeout(timer);
  }, [chunks, isComplete]);
  return (
    <section
      class="chart-table"
      aria-label={`${label}, table`}
      aria-busy={!isComplete}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls the region
      tabIndex={0}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {columns.map(({ key, name }) => (
              <th scope="col" class="number" key={key}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        {Array.from({ length: chunks }, (_, chunk) => (
          <Rows key={chunk} start={chunk * CHUNK} {...{ columns, buckets, interval, timeZone }} />
        ))}
      </table>
    </section>
  );
}

function Rows(props: Omit<Props, "label"> & { readonly start: number }) {
  const { start, columns, buckets, interval, timeZone } = props;
  return useMemo(
    () => (
      <tbody>
        {buckets.slice(start, start + CHUNK).map((bucket, i) => (
          <tr key={bucket.from}>
            <th scope="row">
              {formatBucket(bucket, interval, timeZone)}
              {bucket.partial && <span class="muted"> (partial)</span>}
            </th>
            {columns.map(({ key, values, format, exact }) => {
              const value = values[start + i] ?? 0;
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
    [start, columns, buckets, interval, timeZone],
  );
}
