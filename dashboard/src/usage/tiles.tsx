import type { ComponentChildren } from "preact";
import { Skeleton } from "../components/notice.js";
import { formatCount, formatGbHours, formatGbSeconds, formatShare } from "../format.js";
import { Detailed } from "./detailed.js";
import { type Change, changeOf, shareOf, untaggedName } from "./groups.js";
import type { Parts } from "./parts.js";
import { METRICS, type Metric, metricOf } from "./query.js";
import { changeName, windowName } from "./words.js";

/** The growth from which a change stands out. */
const JUMP = 0.5;

/** The totals of a report. */
export function Tiles({ parts }: { readonly parts: Parts | undefined }) {
  const metric = parts ? metricOf(parts.data.query) : "memoryGbSeconds";
  const groupBy = parts?.data.report.groupBy ?? [];
  const isBySandbox = groupBy[0] === "sandbox";
  const untagged = parts ? untaggedName(groupBy) : "Untagged";
  return (
    <dl class="card tiles">
      <AmountTile metric="memoryGbSeconds" parts={parts} />
      <AmountTile metric="diskOverageGbSeconds" parts={parts} />
      <Tile name={isBySandbox ? "Untagged" : untagged} note={`of ${METRICS[metric].toLowerCase()}`}>
        {parts && <Untagged parts={parts} metric={metric} />}
      </Tile>
      <Tile name={isBySandbox ? "Sandboxes" : "Groups"} note="with usage">
        {parts && <Groups parts={parts} />}
      </Tile>
      <Tile name={`Change of ${METRICS[metric].toLowerCase()}`} note="vs. the window before">
        {parts && <TotalChange parts={parts} metric={metric} />}
      </Tile>
    </dl>
  );
}

interface TileProps {
  readonly name: string;
  readonly note: string;
  /** The figure; a placeholder takes its place until it is known. */
  readonly children: ComponentChildren;
}

function Tile({ name, note, children }: TileProps) {
  return (
    <div>
      <dt>
        <bdi>{name}</bdi>
      </dt>
      <dd>
        {children || <Skeleton width="4ch" height="0.8em" />}
        <small class="note">{note}</small>
      </dd>
    </div>
  );
}

interface MetricProps {
  readonly parts: Parts;
  readonly metric: Metric;
}

function AmountTile({
  metric,
  parts,
}: {
  readonly metric: Metric;
  readonly parts: Parts | undefined;
}) {
  const amount = parts?.data.report.total[metric];
  return (
    <Tile name={METRICS[metric]} note="GB-hours">
      {amount !== undefined && (
        <Detailed detail={formatGbSeconds(amount)}>{formatGbHours(amount)}</Detailed>
      )}
    </Tile>
  );
}

function Untagged({ parts, metric }: MetricProps) {
  const { total, untagged } = parts.data.report;
  if (!untagged) return <Detailed detail="Group by a tag to see how much is untagged.">–</Detailed>;
  const detail = `${formatGbSeconds(untagged[metric])} of ${formatCount(untagged.sandboxCount)} sandboxes`;
  return (
    <Detailed detail={detail}>{formatShare(shareOf(untagged[metric], total[metric]))}</Detailed>
  );
}

function Groups({ parts }: { readonly parts: Parts }) {
  const { groups, isComplete } = parts.count;
  const text = formatCount(groups);
  if (isComplete) return text;
  return <Detailed detail={`More than ${text}: they were counted up to here.`}>{text}+</Detailed>;
}

function TotalChange({ parts, metric }: MetricProps) {
  const { before, hasFailedBefore, data } = parts;
  if (!before)
    return (
      hasFailedBefore && <Detailed detail="The window before could not be loaded.">–</Detailed>
    );
  const amount = before.total[metric];
  const change = changeOf(data.report.total[metric], amount);
  const window = windowName({ ...before.window, timezone: data.report.timezone });
  return (
    <Detailed detail={`${window}: ${formatGbSeconds(amount)}`} class={trendOf(change)}>
      {changeName(change)}
    </Detailed>
  );
}

/** Returns the class of a change: only a jump stands out. */
export const trendOf = (change: Change): string =>
  typeof change === "number" && change >= JUMP ? "jump" : "";
