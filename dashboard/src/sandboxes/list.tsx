import { LIMITS } from "@opencomputer/usage";
import { useEffect, useState } from "preact/hooks";
import { Conditions } from "../components/conditions.js";
import { ErrorNotice } from "../components/notice.js";
import { formatCount } from "../format.js";
import { useLoad } from "../load.js";
import { href, Link, navigate, usePlace } from "../router.js";
import { useSession } from "../session.js";
import { BulkEdit } from "../tags/bulk-edit.js";
import { TagEditor } from "../tags/editor.js";
import { NoSandboxes } from "./empty.js";
import { type ListQuery, listQuery, readList, writeList } from "./query.js";
import { type Selection, withSelected } from "./selection.js";
import { SandboxTable } from "./table.js";

/** The pages before a page, by its cursor, as far as this tab has seen them. */
const before = new Map<string, string | undefined>();

const listHref = (query: ListQuery): string => href("/sandboxes", writeList(query));

/** The list of sandboxes. */
export function SandboxesView() {
  const { params } = usePlace();
  const { client } = useSession();
  const query = readList(params);
  const key = listHref(query);
  const load = useLoad(key, async (signal) => ({
    key,
    page: await client.sandboxes.list(listQuery(query), { signal }),
  }));
  const [selection, setSelection] = useState<Selection>(new Map());
  const [edited, setEdited] = useState<string>();
  const [isBulk, setIsBulk] = useState(false);
  useEffect(() => {
    document.title = "Sandboxes · Usage";
  }, []);
  // Another list starts with its first page.
  const change = (changed: Partial<ListQuery>) =>
    navigate(listHref({ ...query, cursor: undefined, ...changed }));
  const page = load.data?.page;
  const next = page?.nextCursor ?? undefined;
  if (next !== undefined && load.data?.key === key) before.set(next, query.cursor);
  return (
    <div class="sandboxes">
      <div class="view-head">
        <h1>Sandboxes</h1>
        <StatePicker state={query.state} onChange={(state) => change({ state })} />
      </div>
      <Conditions conditions={query.conditions} onChange={(conditions) => change({ conditions })} />
      <div class="list-bar">
        {selection.size > 0 ? (
          <>
            <span role="status">{formatCount(selection.size)} selected</span>
            <button type="button" class="primary" onClick={() => setIsBulk(true)}>
              Edit tags…
            </button>
            <button type="button" class="quiet" onClick={() => setSelection(new Map())}>
              Clear selection
            </button>
          </>
        ) : (
          <span class="muted" role="status">
            {page &&
              page.length > 0 &&
              !load.error &&
              `${formatCount(page.length)} on this page, newest first`}
          </span>
        )}
      </div>
      {load.error ? (
        <ErrorNotice error={load.error} retry={load.retry} />
      ) : page?.length === 0 ? (
        <NoSandboxes query={query} onChange={change} />
      ) : (
        <SandboxTable
          sandboxes={page?.items}
          isStale={load.loading}
          selection={selection}
          onSelect={(sandboxes, isSelected) =>
            setSelection(withSelected(selection, sandboxes, isSelected))
          }
          onEdit={setEdited}
        />
      )}
      <Pages
        query={query}
        next={next}
        onLimit={(limit) => navigate(listHref({ ...query, limit }))}
      />
      {edited !== undefined && (
        <TagEditor
          sandboxId={edited}
          onClose={() => setEdited(undefined)}
          onSaved={() => {
            setEdited(undefined);
            load.retry();
          }}
        />
      )}
      {isBulk && (
        <BulkEdit
          sandboxes={[...selection.values()]}
          onClose={() => setIsBulk(false)}
          onWritten={load.retry}
        />
      )}
    </div>
  );
}

const STATES = { running: "Running", all: "All" } as const;

interface StatePickerProps {
  readonly state: string;
  readonly onChange: (state: string) => void;
}

function StatePicker({ state, onChange }: StatePickerProps) {
  return (
    <fieldset class="segments" aria-label="State">
      {Object.entries(STATES).map(([value, name]) => (
        <label key={value}>
          <input
            type="radio"
            name="state"
            checked={state === value}
            onChange={() => onChange(value)}
          />
          <span>{name}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface PagesProps {
  readonly query: ListQuery;
  readonly next: string | undefined;
  readonly onLimit: (limit: string | undefined) => void;
}

function Pages({ query, next, onLimit }: PagesProps) {
  const { cursor, limit } = query;
  const usual = String(LIMITS.defaultListLimit);
  const sizes = [...new Set([limit ?? usual, "25", usual, String(LIMITS.maxPageLimit)])];
  return (
    <nav class="pages" aria-label="Pages">
      <label>
        Rows
        <select
          value={limit ?? usual}
          onChange={({ currentTarget: { value } }) => onLimit(value === usual ? undefined : value)}
        >
          {sizes
            .sort((one, other) => Number(one) - Number(other))
            .map((size) => (
              <option key={size}>{size}</option>
            ))}
        </select>
      </label>
      {cursor !== undefined && (
        <Link class="button" to={listHref({ ...query, cursor: before.get(cursor) })}>
          {before.has(cursor) ? "Previous" : "First page"}
        </Link>
      )}
      {next !== undefined && (
        <Link class="button" to={listHref({ ...query, cursor: next })}>
          Next
        </Link>
      )}
    </nav>
  );
}
