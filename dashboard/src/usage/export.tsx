import type { UsageTotals } from "@opencomputer/usage";
import { formatCount } from "../format.js";
import { type Cell, download, toCsv } from "./csv.js";
import { type Row, shareOf } from "./groups.js";
import type { Parts } from "./parts.js";
import { METRICS, metricOf } from "./query.js";
import { localDate } from "./window.js";

/** Downloads the page as CSV. */
export function Export({ parts }: { readonly parts: Parts | undefined }) {
  if (!parts)
    return (
      <button type="button" class="export" disabled>
        Download CSV
      </button>
    );
  const { report, query } = parts.data;
  const isOnly = query.cursor === null && report.nextCursor === null;
  const rows = `${formatCount(report.rows.length)} rows`;
  return (
    <button
      type="button"
      class="export"
      title={`Download the ${rows} of ${isOnly ? "this report" : "this page"}`}
      onClick={() => {
        const first = localDate(Date.parse(report.from), report.timezone);
        const last = localDate(Date.parse(report.to) - 1, report.timezone);
        download(`usage-${first}-${last}-page-${query.page}.csv`, toCsv(tableOf(parts)));
      }}
    >
      {isOnly ? "Download CSV" : "Download page as CSV"}
    </button>
  );
}

/** Returns the table of a page: a line of names, the groups, what is untagged, and the total. */
export function tableOf({ data, before }: Parts): Cell[][] {
  const { report, query } = data;
  const { groupBy, total, untagged } = report;
  const metric = metricOf(query);
  const isBySandbox = groupBy[0] === "sandbox";
  const name = METRICS[metric];
  const names = [
    "Row",
    ...(isBySandbox ? ["Sandbox", "Alias", "Status", "Tags (JSON)"] : groupBy),
    "Memory (GB-seconds)",
    "Disk overage (GB-seconds)",
    `Share of total ${name.toLowerCase()} (fraction)`,
    "Sandboxes (count)",
    "Memory in the window before (GB-seconds)",
    "Disk overage in the window before (GB-seconds)",
    "Window start (inclusive)",
    "Window end (exclusive)",
    "Measured at",
  ];
  const line = (
    kind: string,
    values: readonly Cell[],
    amounts: UsageTotals,
    count: number | null,
    earlier: UsageTotals | null | undefined,
  ): Cell[] => [
    kind,
    ...values,
    amounts.memoryGbSeconds,
    amounts.diskOverageGbSeconds,
    shareOf(amounts[metric], total[metric]),
    count,
    earlier?.memoryGbSeconds ?? null,
    earlier?.diskOverageGbSeconds ?? null,
    report.from,
    report.to,
    report.asOf,
  ];
  const none: Cell[] = Array.from({ length: isBySandbox ? 4 : groupBy.length }, () => null);
  return [
    names,
    ...report.rows.map((row) =>
      line("group", valueCells(row), row.amounts, row.sandboxCount, before?.rows.get(row.key)),
    ),
    ...(untagged
      ? [line("untagged", none, untagged, untagged.sandboxCount, before?.untagged)]
      : []),
    line("total", none, total, null, before?.total),
  ];
}

function valueCells({ values, sandbox }: Row): readonly Cell[] {
  if (!sandbox) return values;
  const { sandboxId, alias, status, tags } = sandbox;
  return [sandboxId, alias ?? null, status ?? null, tags && JSON.stringify(tags)];
}
