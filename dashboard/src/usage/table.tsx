import { useMemo } from "preact/hooks";
import { Skeleton } from "../components/notice.js";
import { useSteps } from "../components/steps.js";
import { dimensionName } from "../dimensions.js";
import { navigate } from "../router.js";
import { CheckLine } from "./check.js";
import { viewHref } from "./links.js";
import { Pages } from "./pages.js";
import type { Parts } from "./parts.js";
import { changeQuery, METRICS, type Metric, metricOf, type ViewQuery } from "./query.js";
import { BeforeContext, GroupRow, TotalRow, UntaggedRow } from "./rows.js";

interface Props {
  readonly parts: Parts | undefined;
  readonly query: ViewQuery;
}

/** The groups of a page, what is untagged, and the total. */
export function Table({ parts, query }: Props) {
  const groupBy = parts?.data.report.groupBy ?? query.groupBy ?? [""];
  const isBySandbox = groupBy[0] === "sandbox";
  const metric = metricOf(parts?.data.query ?? query);
  return (
    <div class="card usage-table">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
      <section class="scroll" aria-label="Groups" tabIndex={0}>
        <table class={`values-${isBySandbox ? "sandbox" : groupBy.length}`}>
          <thead>
            <tr>
              <th scope="col" class="rank">
                <span class="visually-hidden">Rank</span>
              </th>
              {groupBy.map((dimension) => (
                <th key={dimension} scope="col" class="value">
                  <bdi>{isBySandbox ? "Sandbox" : dimensionName(dimension) || "Group"}</bdi>
                </th>
              ))}
              {isBySandbox && (
                <>
                  <th scope="col" class="state">
                    Status
                  </th>
                  <th scope="col" class="labels">
                    Tags
                  </th>
                </>
              )}
              <th scope="col" class="trend">
                Over time
              </th>
              <SortHeader metric="memoryGbSeconds" query={query} />
              <SortHeader metric="diskOverageGbSeconds" query={query} />
              <th scope="col" class="share">
                Share of {METRICS[metric].toLowerCase()}
              </th>
              {!isBySandbox && (
                <th scope="col" class="number count">
                  Sandboxes
                </th>
              )}
              <th scope="col" class="number change">
                Change
              </th>
            </tr>
          </thead>
          {parts ? (
            <Body parts={parts} metric={metric} />
          ) : (
            <Placeholders columns={groupBy.length + (isBySandbox ? 8 : 7)} />
          )}
        </table>
      </section>
      <footer>
        <CheckLine parts={parts} />
        <Pages query={query} nextCursor={parts?.data.report.nextCursor ?? null} />
      </footer>
    </div>
  );
}

interface SortHeaderProps {
  readonly metric: Metric;
  readonly query: ViewQuery;
}

function SortHeader({ metric, query }: SortHeaderProps) {
  const isSorted = metricOf(query) === metric;
  return (
    <th scope="col" class="number amount" aria-sort={isSorted ? "descending" : undefined}>
      <button
        type="button"
        class="link sort"
        onClick={() => navigate(viewHref(changeQuery(query, { sort: `-${metric}` })))}
      >
        {METRICS[metric]}
        <span aria-hidden="true">{isSorted ? " ↓" : ""}</span>
      </button>
      <small class="unit">GB-hours</small>
    </th>
  );
}

interface BodyProps {
  readonly parts: Parts;
  readonly metric: Metric;
}

/** The rows: up to 500 with a series each, so they are rendered in steps. */
function Body({ parts, metric }: BodyProps) {
  const { report, query } = parts.data;
  const rows = useMemo(
    () =>
      report.rows.map((row, i) => (
        <GroupRow
          key={row.key}
          rank={(query.page - 1) * query.limit + i + 1}
          row={row}
          report={report}
          query={query}
          metric={metric}
        />
      )),
    [report, query, metric],
  );
  const rendered = useSteps(rows, STEP);
  return (
    <BeforeContext.Provider value={parts.before}>
      <tbody>{rendered}</tbody>
      <tfoot>
        <UntaggedRow parts={parts} metric={metric} />
        <TotalRow parts={parts} metric={metric} />
      </tfoot>
    </BeforeContext.Provider>
  );
}

/** The number of rows that are rendered at a time, without a noticeable delay. */
const STEP = 50;

function Placeholders({ columns }: { readonly columns: number }) {
  return (
    <tbody>
      {Array.from({ length: 12 }, (_, row) => (
        <tr key={row}>
          {Array.from({ length: columns }, (_, column) => (
            <td key={column}>
              <Skeleton width={column === 0 ? "1ch" : "70%"} />
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}
