import { Skeleton } from "../components/notice.js";
import { formatCount, formatInstant } from "../format.js";
import { seriesAddUp } from "./groups.js";
import type { Parts } from "./view.js";

/** Says whether the parts add up to the total, and at which instant they are measured. */
export function CheckLine({ parts }: { readonly parts: Parts | undefined }) {
  if (!parts)
    return (
      <p class="check">
        <Skeleton width="40ch" />
      </p>
    );
  const { report } = parts.data;
  const isRight = seriesAddUp(report) && parts.count.addsUp !== false;
  return (
    <p class={isRight ? "check" : "check fault"}>
      <span aria-hidden="true">{isRight ? "✓" : "⚠"}</span> {sentence(parts)}
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
  if (!seriesAddUp(report)) return "The buckets of a series do not add up to its amount.";
  const isBySandbox = report.untagged === null;
  const noun = isBySandbox ? "sandboxes" : "groups";
  if (count.addsUp === null) {
    const known = count.isComplete ? "" : ` of more than ${formatCount(count.groups)}`;
    return `Page ${query.page}${known} ${noun}: each series adds up to its amount.`;
  }
  const all = `${formatCount(count.groups)} ${noun}${isBySandbox ? "" : " and the untagged rest"}`;
  if (count.addsUp) return `All ${all} add up to the total.`;
  return `The ${all} do not add up to the total. Tags may have changed in the meantime.`;
}
