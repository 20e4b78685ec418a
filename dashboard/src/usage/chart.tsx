import { useMemo } from "preact/hooks";
import { StackedChart } from "../charts/stacked.js";
import { Skeleton } from "../components/notice.js";
import { navigate } from "../router.js";
import { chartGroups, conditionsOf, groupingName, withConditions } from "./groups.js";
import { changeQuery, METRICS, metricOf } from "./query.js";
import type { Loaded } from "./report.js";
import { viewHref } from "./view.js";

const ChartSkeleton = () => (
  <div class="card usage-chart">
    <Skeleton height="392px" />
  </div>
);

/** The chart of the largest groups over time. */
export function Chart({ data }: { readonly data: Loaded | undefined }) {
  // The chart is as expensive as it is large, and stays the same while the table turns pages.
  const first = data?.first;
  const metric = data && metricOf(data.query);
  return useMemo(() => {
    if (!data || !first || !metric) return <ChartSkeleton />;
    const { groupBy, buckets, interval, timezone, rows } = first;
    const label = `${METRICS[metric]} by ${groupingName(groupBy)}`;
    const onSelect = (key: string) => {
      const row = rows.find((row) => row.key === key);
      const added = row && conditionsOf(groupBy, row.values);
      if (!added) return;
      const conditions = withConditions(data.query.conditions, added);
      navigate(viewHref(changeQuery(data.query, { conditions })));
    };
    return (
      <section class="card usage-chart">
        <h2>
          {METRICS[metric]} by <bdi>{groupingName(groupBy)}</bdi>
        </h2>
        <StackedChart
          groups={chartGroups(first, metric)}
          buckets={buckets}
          interval={interval}
          timeZone={timezone}
          label={`${label}, GB-hours`}
          onSelect={onSelect}
        />
      </section>
    );
  }, [first, metric]);
}
