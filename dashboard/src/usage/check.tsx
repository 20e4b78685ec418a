import { useMemo } from "preact/hooks";
import { Skeleton } from "../components/notice.js";
import { formatCount, formatInstant } from "../format.js";
import { seriesAddUp } from "./groups.js";
import type { Parts } from "./parts.js";

/** Says whether the parts add up to the total, and at which instant they are measured. */
export function CheckLine({ parts }: { readonly parts: Parts | undefined }) {
  const report = parts?.data.report;
  const seriesAreRight = useMemo(() => !report || seriesAddUp(report), [report]);
  if (!parts || !report)
    return (
      <p class="check">
        <Skeleton width="40ch" />
      </p>
    );
  const isRight = seriesAreRight && parts.count.addsUp !== false;
  return (
    <p class={isRight ? "check" : "check fault"} role="status">
      <span aria-hidden="true">{isRight ? "✓" : "⚠"}</span>{" "}
      {seriesAreRight ? sentence(parts) : "The buckets of a series do not add up to its amount."}
      {report.asOf !== null && (
        <>
          {" "}
          Measured at{" "}
          <time dateTime={report.asOf}>{formatInstant(report.asOf, report.timezone)}</time>.
        </>
      )}
    </p>
  );
}

function sentence({ data, count }: Parts): string {
  const { report, query } = data;
  const isBySandbox = report.untagged === null;
  const noun = isBySandbox ? "sandbox" : "group";
  const groups = `${formatCount(count.groups)} ${noun}${count.groups === 1 ? "" : isBySandbox ? "es" : "s"}`;
  if (count.addsUp === null)
    return `Page ${query.page} of more than ${groups}: each series adds up to its amount.`;
  const parts = isBySandbox ? groups : `${groups} and the untagged rest`;
  if (count.addsUp) return `${parts} add up to the total.`;
  return `${parts} do not add up to the total. Tags may have changed in the meantime.`;
}
