import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Dialog } from "../components/dialog.js";
import { formatCount } from "../format.js";
import { useSession } from "../session.js";
import { canRetry, tally, wasTried } from "./bulk.js";
import { BulkList } from "./bulk-list.js";
import { Footer, useUnsaved } from "./footer.js";
import { check, newRow, type Row } from "./rows.js";
import { TagRows } from "./tag-rows.js";
import { type Bulk, type Target, useBulk } from "./use-bulk.js";

interface Props {
  readonly sandboxes: readonly Target[];
  readonly onClose: () => void;
  /** Called after tags were written. */
  readonly onWritten: () => void;
}

/** A dialog that sets and removes tags of many sandboxes: a form, a dry run, and the result per sandbox. */
export function BulkEdit({ sandboxes, onClose, onWritten }: Props) {
  const { suggestions } = useSession();
  const [rows, setRows] = useState<readonly Row[]>(() => [newRow()]);
  const [isAsking, setIsAsking] = useState(false);
  const checked = useMemo(() => check(rows), [rows]);
  const bulk = useBulk(sandboxes, () => {
    suggestions.forgetKeys();
    onWritten();
  });
  const isEmpty = checked.tags.size === 0 && checked.removed.size === 0;
  const hasChanges = bulk.items
    ? bulk.items.some(({ progress }) => progress.step === "planned" || progress.step === "writing")
    : !isEmpty;
  const close = () => {
    if (bulk.running === "writing") bulk.stop();
    else if (hasChanges) setIsAsking(true);
    else onClose();
  };
  useUnsaved(hasChanges, close);
  const footer = { isAsking, onKeep: () => setIsAsking(false), onDiscard: onClose };
  const title = `Edit tags of ${formatCount(sandboxes.length)} ${sandboxes.length === 1 ? "sandbox" : "sandboxes"}`;
  return (
    <Dialog title={title} onClose={close}>
      {bulk.items ? (
        <div class="dialog-form bulk">
          <Summary bulk={bulk} />
          <BulkList items={bulk.items} />
          <Footer {...footer}>
            <Actions bulk={bulk} onClose={close} />
          </Footer>
        </div>
      ) : (
        <form
          class="dialog-form bulk"
          onSubmit={(event) => {
            event.preventDefault();
            if (checked.isValid && !isEmpty)
              bulk.dryRun({ set: checked.tags, remove: checked.removed });
          }}
        >
          <div class="dialog-body">
            <p class="muted">
              Every sandbox keeps its other tags. Nothing is written before you have seen what
              changes.
            </p>
            <TagRows rows={rows} faults={checked.faults} onChange={setRows} canRemove />
          </div>
          {checked.general.map((message) => (
            <p key={message} class="problem" role="alert">
              {message}
            </p>
          ))}
          <Footer {...footer}>
            <button type="button" onClick={close}>
              Cancel
            </button>
            <button type="submit" class="primary" disabled={!checked.isValid || isEmpty}>
              Preview changes
            </button>
          </Footer>
        </form>
      )}
    </Dialog>
  );
}

/** The states of a summary, in its order. */
const COUNTED = [
  ["done", "done"],
  ["planned", "to change"],
  ["unchanged", "unchanged"],
  ["conflict", "in conflict"],
  ["refused", "refused"],
  ["failed", "failed"],
] as const;

function Summary({ bulk: { items = [], running } }: { readonly bulk: Bulk }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that started or stopped the requests is gone.
  useEffect(() => heading.current?.focus(), [running]);
  const counts = tally(items);
  const parts = COUNTED.map(([step, name]) => ({ step, name, count: counts.get(step) ?? 0 }));
  const left = counts.get(running === "writing" ? "planned" : "unread") ?? 0;
  return (
    <div class="bulk-summary">
      <h3 ref={heading} tabIndex={-1}>
        {TITLES[running ?? (items.some(wasTried) ? "finished" : "planned")]}
      </h3>
      <p role="status">
        {parts
          .filter(({ count }) => count > 0)
          .map(({ step, name, count }) => (
            <span key={step} class={`step ${step}`}>
              {formatCount(count)} {name}
            </span>
          ))}
      </p>
      <progress
        aria-label="Progress"
        max={items.length}
        value={items.length - left}
        hidden={running === undefined}
      />
    </div>
  );
}

const TITLES = {
  reading: "Reading tags…",
  writing: "Writing tags…",
  planned: "Dry run: nothing is written yet",
  finished: "Result",
} as const;

function Actions({ bulk, onClose }: { readonly bulk: Bulk; readonly onClose: () => void }) {
  const { items = [], running } = bulk;
  if (running)
    return (
      <button type="button" onClick={bulk.stop}>
        Stop
      </button>
    );
  const counts = tally(items);
  const planned = counts.get("planned") ?? 0;
  const again = items.filter(canRetry).length;
  return (
    <>
      {!counts.has("done") && (
        <button type="button" onClick={bulk.reset}>
          Back
        </button>
      )}
      {again > 0 && (
        <button type="button" onClick={bulk.retry}>
          Retry {formatCount(again)}
        </button>
      )}
      {planned > 0 ? (
        <button
          type="button"
          class="primary"
          onClick={(event) => {
            // The second click of a double click on "Preview changes" may land here.
            if (event.detail < 2) bulk.apply();
          }}
        >
          Apply to {formatCount(planned)} {planned === 1 ? "sandbox" : "sandboxes"}
        </button>
      ) : (
        <button type="button" class="primary" onClick={onClose}>
          Close
        </button>
      )}
    </>
  );
}
