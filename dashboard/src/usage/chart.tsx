import { useMemo } from "preact/hooks";
import { StackedChart } from "../charts/stacked.js";
import { Skeleton } from "../components/notice.js";
import { navigate } from "../router.js";
import { chartGroups, groupingName } from "./groups.js";
import { linksTo } from "./links.js";
import { METRICS, metricOf } from "./query.js";
import type { Loaded } from "./report.js";

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
      const links = row && linksTo(data.query, groupBy, row.values);
      if (links) navigate(links.group);
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
