import { useMemo, useRef } from "preact/hooks";
import { EmptyNotice, ErrorNotice } from "../components/notice.js";
import { useLoad } from "../load.js";
import { navigate, usePlace } from "../router.js";
import { useSession } from "../session.js";
import { type Before, loadBefore } from "./before.js";
import { Chart } from "./chart.js";
import { Export } from "./export.js";
import { viewHref } from "./links.js";
import type { Parts } from "./parts.js";
import { changeQuery, readQuery, type ViewQuery, writeQuery } from "./query.js";
import { type Count, countPage, type Loaded, loadCount, loadReport, walkId } from "./report.js";
import { Table } from "./table.js";
import { Tiles } from "./tiles.js";
import { Toolbar } from "./toolbar.js";
import { windowName } from "./words.js";

/** The usage of an organization: a toolbar, totals, a chart over time and a table of groups. */
export function UsageView() {
  const { params } = usePlace();
  const query = useMemo(() => readQuery(params), [params]);
  const session = useSession();
  const key = writeQuery(query).toString();
  const last = useRef<Loaded | undefined>(undefined);
  const { data, error, loading, retry } = useLoad<Loaded>(key, async (signal) => {
    const loaded = await loadReport(session, query, last.current, signal);
    last.current = loaded;
    return loaded;
  });
  const report = data?.report;
  // These requests wait for the report, which is what the reader wants to see first.
  const walk = data && walkId(data);
  const before = useLoad<Before | undefined>(
    `${walk} ${data?.query.page}`,
    async (signal) => data && loadBefore(session, data.query, data.report, signal),
  );
  const count = useLoad<Count | undefined>(
    `${walk}`,
    async (signal) => data && loadCount(session, data, signal),
  );
  const change = (change: Partial<ViewQuery>) => navigate(viewHref(changeQuery(query, change)));
  const parts: Parts | undefined = data && {
    data,
    // Data kept while the next report loads belongs to the previous one.
    before: before.data?.report === report ? before.data : undefined,
    hasFailedBefore: before.error !== undefined,
    count: count.data && count.data.walk === walk ? count.data : countPage(data),
  };
  const isEmpty =
    report && report.rows.length === 0 && !report.untagged?.sandboxCount && query.cursor === null;
  return (
    <div class="usage" aria-busy={loading}>
      <header class="usage-head">
        <h1>Usage</h1>
        <p class="muted">{report && !error && windowName(report)}</p>
        {!error && !isEmpty && <Export parts={parts} />}
      </header>
      <Toolbar query={query} groupBy={query.groupBy ?? report?.groupBy} onChange={change} />
      {error ? (
        <ErrorNotice error={error} retry={retry} />
      ) : isEmpty ? (
        <Empty query={query} onChange={change} />
      ) : (
        <div class="usage-body">
          <Tiles parts={parts} />
          <Chart data={data} />
          <Table parts={parts} query={query} />
        </div>
      )}
    </div>
  );
}

interface EmptyProps {
  readonly query: ViewQuery;
  readonly onChange: (change: Partial<ViewQuery>) => void;
}

function Empty({ query, onChange }: EmptyProps) {
  if (query.conditions.length > 0) {
    return (
      <EmptyNotice title="No sandbox matches these filters">
        <p>None that matches was running in this window.</p>
        <button type="button" onClick={() => onChange({ conditions: [] })}>
          Clear the filters
        </button>
      </EmptyNotice>
    );
  }
  return (
    <EmptyNotice title="No usage in this window">
      <p>Any of these three fills it:</p>
      <ul>
        <li>
          Import what the platform recorded:{" "}
          <code>opencomputer-usage-server import events.jsonl --org ORGANIZATION</code>
        </li>
        <li>
          Run a sandbox and tag it:{" "}
          <code>{'await client.tags.set("sb-1", { team: "payments" })'}</code>
        </li>
        <li>
          Look at a longer window:{" "}
          <button
            type="button"
            class="link"
            onClick={() => onChange({ period: "90d", from: null, to: null })}
          >
            show the last 90 days
          </button>
        </li>
      </ul>
    </EmptyNotice>
  );
}
