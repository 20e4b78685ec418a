import { NotFoundError, type SandboxUsage, type UsageInterval } from "@opencomputer/usage";
import { useEffect, useState } from "preact/hooks";
import { HeadroomChart } from "../charts/headroom.js";
import { EmptyNotice, ErrorNotice, Skeleton } from "../components/notice.js";
import { browserTimeZone } from "../format.js";
import { useLoad } from "../load.js";
import { href, Link, navigate, usePlace } from "../router.js";
import { useSession } from "../session.js";
import { TagEditor } from "../tags/editor.js";
import { Tags } from "../tags/tag.js";
import {
  automaticInterval,
  changeQuery,
  readQuery,
  type ViewQuery,
  windowOf,
  writeQuery,
} from "../usage/query.js";
import { WindowPickers } from "../usage/toolbar.js";
import { Facts } from "./facts.js";
import { Instant, Status } from "./parts.js";

/** One sandbox: its usage in a window, and its tags. */
export function SandboxView({ id }: { readonly id: string }) {
  const { params } = usePlace();
  const { client } = useSession();
  const query = readQuery(params);
  const timeZone = query.timeZone ?? browserTimeZone();
  const interval = query.interval ?? automaticInterval(query);
  const pathTo = (query: ViewQuery) =>
    href(`/sandboxes/${encodeURIComponent(id)}`, writeQuery(query));
  const [isEditing, setIsEditing] = useState(false);
  const usage = useLoad(pathTo(query), async (signal) =>
    client.usage.forSandbox(
      id,
      { ...windowOf(query, new Date()), timeZone, interval: interval as UsageInterval },
      { signal },
    ),
  );
  // Usage has neither the template nor the region. A sandbox without a session is not found here.
  const sandbox = useLoad(id, (signal) => client.sandboxes.get(id, { signal }));
  useEffect(() => {
    document.title = `${id} · Usage`;
  }, [id]);
  const data = usage.data?.sandboxId === id ? usage.data : undefined;
  const session = sandbox.data?.sandboxID === id ? sandbox.data : undefined;
  const isMissing = usage.error instanceof NotFoundError;
  // A time zone of the URL may not exist; that of data does.
  const shownZone = data?.timezone ?? browserTimeZone();
  return (
    <div class="sandbox">
      <nav class="crumbs" aria-label="Breadcrumb">
        <Link to="/sandboxes">Sandboxes</Link>
      </nav>
      <div class="view-head">
        <h1>
          <bdi class="mono">{id}</bdi>
        </h1>
        {data?.alias !== undefined && <bdi class="alias">{data.alias}</bdi>}
        {data?.status !== undefined && <Status status={data.status} />}
      </div>
      <p class="muted about">
        {session ? (
          <>
            Template <bdi>{session.template ?? "unknown"}</bdi> · Region{" "}
            <bdi>{session.region ?? "unknown"}</bdi> · Worker{" "}
            <bdi class="mono">{session.workerID ?? "unknown"}</bdi>
          </>
        ) : (
          "\u00a0"
        )}
      </p>
      {!isMissing && (
        <div class="toolbar">
          <div>
            <WindowPickers
              query={query}
              onChange={(change) => navigate(pathTo(changeQuery(query, change)))}
            />
          </div>
        </div>
      )}
      {isMissing ? (
        <NotFound id={id} />
      ) : usage.error ? (
        <ErrorNotice error={usage.error} retry={usage.retry} />
      ) : (
        <div aria-busy={usage.loading}>
          <Facts usage={data} timeZone={shownZone} />
          <section class="card memory" aria-labelledby="memory">
            <h2 id="memory">Allocated and used memory</h2>
            {data?.points ? (
              <HeadroomChart
                points={data.points}
                buckets={data.buckets ?? []}
                interval={data.interval ?? interval}
                timeZone={shownZone}
                label={`Allocated and used memory of ${id}`}
              />
            ) : (
              <Skeleton height="280px" />
            )}
          </section>
        </div>
      )}
      {data && <TagSection usage={data} timeZone={shownZone} onEdit={() => setIsEditing(true)} />}
      {isEditing && (
        <TagEditor
          sandboxId={id}
          onClose={() => setIsEditing(false)}
          onSaved={() => {
            setIsEditing(false);
            usage.retry();
          }}
        />
      )}
    </div>
  );
}

function NotFound({ id }: { readonly id: string }) {
  return (
    <EmptyNotice title="Sandbox not found">
      <p>
        There is no sandbox <bdi class="mono">{id}</bdi> in this organization. Check the id, or{" "}
        <Link to="/sandboxes?state=all">look for it in the list</Link>.
      </p>
    </EmptyNotice>
  );
}

interface TagSectionProps {
  readonly usage: SandboxUsage;
  readonly timeZone: string;
  readonly onEdit: () => void;
}

function TagSection({ usage, timeZone, onEdit }: TagSectionProps) {
  const { tags, tagsLastUpdatedAt, from, to } = usage;
  const changedAt =
    tagsLastUpdatedAt !== null && isBetween(tagsLastUpdatedAt, from, to) ? tagsLastUpdatedAt : null;
  const isEmpty = tags !== null && Object.keys(tags).length === 0;
  return (
    <section class="card tag-section" aria-labelledby="tags">
      <div class="section-head">
        <h2 id="tags">Tags</h2>
        {tagsLastUpdatedAt !== null && (
          <span class="muted">
            Updated <Instant at={tagsLastUpdatedAt} timeZone={timeZone} />
          </span>
        )}
        <button type="button" onClick={onEdit}>
          Edit tags
        </button>
      </div>
      {isEmpty ? <p class="muted">This sandbox has no tags.</p> : tags && <Tags tags={tags} />}
      {changedAt !== null && (
        <p class="remark">
          These tags changed inside the window. Usage belongs to the tags that a sandbox has now, so
          the whole window counts for them, also the time before{" "}
          <Instant at={changedAt} timeZone={timeZone} />.
        </p>
      )}
    </section>
  );
}

const isBetween = (instant: string, from: string, to: string): boolean =>
  Date.parse(from) <= Date.parse(instant) && Date.parse(instant) < Date.parse(to);
