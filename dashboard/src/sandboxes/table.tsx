import type { Sandbox } from "@opencomputer/usage";
import { Skeleton } from "../components/notice.js";
import { browserTimeZone } from "../format.js";
import { Link } from "../router.js";
import { Tags } from "../tags/tag.js";
import { Instant, Status } from "./parts.js";
import type { Selection } from "./selection.js";

/** The most tags of a row. */
const MOST_TAGS = 3;

interface Props {
  /** The sandboxes of a page; undefined before the first one. */
  readonly sandboxes: readonly Sandbox[] | undefined;
  /** True while newer rows are loading. */
  readonly isStale: boolean;
  readonly selection: Selection;
  readonly onSelect: (sandboxes: readonly Sandbox[], isSelected: boolean) => void;
  /** Edits the tags of a sandbox. */
  readonly onEdit: (id: string) => void;
}

/** A page of sandboxes with checkboxes. */
export function SandboxTable({ sandboxes, isStale, selection, onSelect, onEdit }: Props) {
  const selected = (sandboxes ?? []).filter(({ sandboxID }) => selection.has(sandboxID)).length;
  const isAll = sandboxes !== undefined && selected === sandboxes.length;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section class="card scroll" aria-label="Sandboxes" tabIndex={0} aria-busy={isStale}>
      <table class="sandbox-table">
        <thead>
          <tr>
            <th scope="col" class="check">
              <input
                type="checkbox"
                aria-label="Select all on this page"
                checked={isAll}
                indeterminate={selected > 0 && !isAll}
                disabled={!sandboxes}
                onChange={() => onSelect(sandboxes ?? [], !isAll)}
              />
            </th>
            <th scope="col">Sandbox</th>
            <th scope="col">Alias</th>
            <th scope="col">Status</th>
            <th scope="col">Template</th>
            <th scope="col">Region</th>
            <th scope="col">Tags</th>
            <th scope="col">Tags updated</th>
            <th scope="col">Started</th>
          </tr>
        </thead>
        <tbody>
          {sandboxes
            ? sandboxes.map((sandbox) => (
                <Row
                  key={sandbox.sandboxID}
                  sandbox={sandbox}
                  isSelected={selection.has(sandbox.sandboxID)}
                  onSelect={(isSelected) => onSelect([sandbox], isSelected)}
                  onEdit={onEdit}
                />
              ))
            : Array.from({ length: 12 }, (_, index) => <SkeletonRow key={index} />)}
        </tbody>
      </table>
    </section>
  );
}

interface RowProps {
  readonly sandbox: Sandbox;
  readonly isSelected: boolean;
  readonly onSelect: (isSelected: boolean) => void;
  readonly onEdit: (id: string) => void;
}

function Row({ sandbox, isSelected, onSelect, onEdit }: RowProps) {
  const { sandboxID: id, alias, status, template, region, startedAt } = sandbox;
  const { tags, tagsLastUpdatedAt } = sandbox;
  const timeZone = browserTimeZone();
  return (
    <tr class={isSelected ? "selected" : undefined}>
      <td class="check">
        <input
          type="checkbox"
          aria-label={`Select ${id}`}
          checked={isSelected}
          onChange={(event) => onSelect(event.currentTarget.checked)}
        />
      </td>
      <th scope="row">
        <Link to={`/sandboxes/${encodeURIComponent(id)}`} class="mono">
          <bdi>{id}</bdi>
        </Link>
      </th>
      <td>{alias === undefined ? <span class="muted">–</span> : <bdi>{alias}</bdi>}</td>
      <td>
        <Status status={status} />
      </td>
      <td>
        <bdi>{template ?? "–"}</bdi>
      </td>
      <td>
        <bdi>{region ?? "–"}</bdi>
      </td>
      <td>
        <div class="tags-cell">
          {tags ? <Tags tags={tags} most={MOST_TAGS} /> : <span class="muted">not available</span>}
          <button
            type="button"
            class="quiet small"
            aria-label={`Edit tags of ${id}`}
            onClick={() => onEdit(id)}
          >
            Edit
          </button>
        </div>
      </td>
      <td class="muted">
        {tagsLastUpdatedAt ? <Instant at={tagsLastUpdatedAt} timeZone={timeZone} isShort /> : "–"}
      </td>
      <td class="muted">
        <Instant at={startedAt} timeZone={timeZone} isShort />
      </td>
    </tr>
  );
}

const WIDTHS = ["16px", "120px", "90px", "70px", "60px", "50px", "220px", "100px", "100px"];

function SkeletonRow() {
  return (
    <tr>
      {WIDTHS.map((width, index) => (
        <td key={index} class={index === 0 ? "check" : undefined}>
          <Skeleton width={width} />
        </td>
      ))}
    </tr>
  );
}
