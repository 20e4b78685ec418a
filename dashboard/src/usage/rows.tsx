import { type UsageTotals, userTags } from "@opencomputer/usage";
import { type ComponentChildren, createContext } from "preact";
import { useContext } from "preact/hooks";
import { Sparkline } from "../charts/sparkline.js";
import {
  formatCount,
  formatGbHours,
  formatGbSeconds,
  formatInstant,
  formatShare,
} from "../format.js";
import { Link } from "../router.js";
import { Status } from "../sandboxes/parts.js";
import type { Before } from "./before.js";
import { Detailed } from "./detailed.js";
import {
  type Amounts,
  changeOf,
  type Report,
  type Row,
  rowColor,
  rowName,
  shareOf,
  untaggedName,
  valueName,
} from "./groups.js";
import { linksTo } from "./links.js";
import type { Parts } from "./parts.js";
import { METRICS, type Metric, type ViewQuery } from "./query.js";
import { trendOf } from "./tiles.js";
import { changeName } from "./words.js";

interface RowProps {
  readonly rank: number;
  readonly row: Row;
  readonly report: Report;
  readonly query: ViewQuery;
  readonly metric: Metric;
}

/** A group, whose values link to it as a filter and whose number of sandboxes links to them. */
export function GroupRow({ rank, row, report, query, metric }: RowProps) {
  const { amounts, sandbox, sandboxCount, values } = row;
  const links = sandbox ? undefined : linksTo(query, report.groupBy, values);
  const color = rowColor(rank, amounts[metric]);
  return (
    <tr>
      <td class="number rank muted">{formatCount(rank)}</td>
      {sandbox ? (
        <SandboxCells row={row} report={report} color={color} />
      ) : (
        values.map((value, i) => (
          <td key={report.groupBy[i]} class="value">
            {i === 0 && <span class={`swatch ${color}`} />}
            <MaybeLink to={links?.group} title={`Filter by ${rowName(row)}`}>
              <Value value={value} />
            </MaybeLink>
          </td>
        ))
      )}
      <AmountCells name={rowName(row)} amounts={amounts} report={report} metric={metric} />
      {sandboxCount !== null && (
        <td class="number count">
          <MaybeLink to={links?.sandboxes} title={`Show the sandboxes of ${rowName(row)}`}>
            {formatCount(sandboxCount)}
          </MaybeLink>
        </td>
      )}
      <RowChange row={row} metric={metric} />
    </tr>
  );
}

interface MaybeLinkProps {
  readonly to: string | undefined;
  readonly title: string;
  readonly children: ComponentChildren;
}

function MaybeLink({ to, title, children }: MaybeLinkProps) {
  if (to === undefined) return children;
  return (
    <Link to={to} title={title}>
      {children}
    </Link>
  );
}

function Value({ value }: { readonly value: string | null }) {
  if (value) return <bdi>{value}</bdi>;
  return <span class="muted">{valueName(value)}</span>;
}

interface SandboxCellsProps {
  readonly row: Row;
  readonly report: Report;
  readonly color: string;
}

function SandboxCells({ row, report, color }: SandboxCellsProps) {
  const { sandbox } = row;
  if (!sandbox) return null;
  const { sandboxId, alias, status } = sandbox;
  const tags = Object.entries(userTags(sandbox.tags ?? {}));
  return (
    <>
      <td class="value">
        <span class={`swatch ${color}`} />
        <Link to={`/sandboxes/${encodeURIComponent(sandboxId)}`}>
          <bdi>{sandboxId}</bdi>
        </Link>{" "}
        {alias !== undefined && <bdi class="muted">{alias}</bdi>}{" "}
        <Retagged row={row} report={report} />
      </td>
      <td class="state">{status !== undefined && <Status status={status} />}</td>
      <td class="labels" title={tags.map(([key, value]) => `${key}: ${value}`).join("\n")}>
        {tags.map(([key, value]) => (
          <bdi key={key} class="label">
            <span class="muted">{key}</span> {valueName(value)}
          </bdi>
        ))}
      </td>
    </>
  );
}

/** Marks a sandbox whose tags changed within the window. */
function Retagged({ row, report }: { readonly row: Row; readonly report: Report }) {
  const changedAt = row.sandbox?.tagsLastUpdatedAt;
  if (!changedAt) return null;
  const time = Date.parse(changedAt);
  if (time < Date.parse(report.from) || time >= Date.parse(report.to)) return null;
  return (
    <Detailed
      class="retagged"
      detail={`The tags changed on ${formatInstant(changedAt, report.timezone)}. All usage of a sandbox belongs to the tags that it has now, also usage from before the change.`}
    >
      retagged
    </Detailed>
  );
}

interface AmountCellsProps {
  readonly name: string;
  readonly amounts: Amounts;
  readonly report: Report;
  readonly metric: Metric;
}

function AmountCells({ name, amounts, report, metric }: AmountCellsProps) {
  const share = shareOf(amounts[metric], report.total[metric]);
  return (
    <>
      <td class="trend">
        <Sparkline
          values={amounts.series?.[metric] ?? []}
          label={`${METRICS[metric]} of ${name} over time`}
        />
      </td>
      {(["memoryGbSeconds", "diskOverageGbSeconds"] as const).map((each) => (
        <td
          key={each}
          class={each === metric ? "number amount sorted" : "number amount"}
          title={formatGbSeconds(amounts[each])}
        >
          {formatGbHours(amounts[each])}
        </td>
      ))}
      <td class="share">
        <span>
          <span class="bar">
            <span style={{ width: `${share * 100}%` }} />
          </span>
          {formatShare(share)}
        </span>
      </td>
    </>
  );
}

/** The window before, which is known later than the rows. Only the cells that show it are rendered again. */
export const BeforeContext = createContext<Before | undefined>(undefined);

function RowChange({ row, metric }: { readonly row: Row; readonly metric: Metric }) {
  const before = useContext(BeforeContext);
  return <ChangeCell now={row.amounts} before={before?.rows.get(row.key)} metric={metric} />;
}

interface ChangeCellProps {
  readonly now: Amounts;
  /** The amounts in the window before; undefined until they are known. */
  readonly before: UsageTotals | undefined;
  readonly metric: Metric;
}

function ChangeCell({ now, before, metric }: ChangeCellProps) {
  if (before === undefined) return <td class="number change" />;
  const amount = before[metric];
  const change = changeOf(now[metric], amount);
  return (
    <td class={`number change ${trendOf(change)}`} title={`Before: ${formatGbSeconds(amount)}`}>
      {changeName(change)}
    </td>
  );
}

interface SumProps {
  readonly parts: Parts;
  readonly metric: Metric;
}

/** The sandboxes that lack every dimension. */
export function UntaggedRow({ parts, metric }: SumProps) {
  const { report, query } = parts.data;
  const { untagged, groupBy } = report;
  if (!untagged) return null;
  const name = untaggedName(groupBy);
  const values = groupBy.map(() => null);
  const links = linksTo(query, groupBy, values);
  return (
    <tr class="untagged">
      <td class="rank" />
      <th scope="row" class="value" colSpan={groupBy.length}>
        <span class="swatch series-untagged" />
        <MaybeLink to={links?.group} title={`Filter by ${name}`}>
          <bdi>{name}</bdi>
        </MaybeLink>
      </th>
      <AmountCells name={name} amounts={untagged} report={report} metric={metric} />
      <td class="number count">
        <MaybeLink to={links?.sandboxes} title={`Show the sandboxes of ${name}`}>
          {formatCount(untagged.sandboxCount)}
        </MaybeLink>
      </td>
      <ChangeCell now={untagged} before={parts.before?.untagged ?? undefined} metric={metric} />
    </tr>
  );
}

/** Everything that matches the filters. */
export function TotalRow({ parts, metric }: SumProps) {
  const { report } = parts.data;
  const isBySandbox = report.untagged === null;
  return (
    <tr class="total">
      <td class="rank" />
      <th scope="row" class="value" colSpan={isBySandbox ? 3 : report.groupBy.length}>
        Total
      </th>
      <AmountCells name="everything" amounts={report.total} report={report} metric={metric} />
      {!isBySandbox && <td class="number count" />}
      <ChangeCell now={report.total} before={parts.before?.total} metric={metric} />
    </tr>
  );
}
