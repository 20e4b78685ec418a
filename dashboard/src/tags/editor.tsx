import {
  ConflictError,
  condition,
  LIMITS,
  NotFoundError,
  type SandboxTags,
  TagValidationError,
  type TagViolation,
  userTags,
} from "@opencomputer/usage";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Dialog } from "../components/dialog.js";
import { EmptyNotice, ErrorNotice, Skeleton } from "../components/notice.js";
import { formatCount } from "../format.js";
import { useLoad } from "../load.js";
import { useSession } from "../session.js";
import { ConflictForm } from "./conflict.js";
import { Footer, Problem, useUnsaved } from "./footer.js";
import { differences, entriesOf, sameTags, type TagEntries } from "./merge.js";
import { asObject, check, type Faults, placed, rowsOf } from "./rows.js";
import { inOrder, Tag } from "./tag.js";
import { TagRows } from "./tag-rows.js";

interface Props {
  readonly sandboxId: string;
  readonly onClose: () => void;
  /** Called after the tags were written. */
  readonly onSaved: () => void;
}

/** A dialog that edits the tags of one sandbox. */
export function TagEditor({ sandboxId, onClose, onSaved }: Props) {
  const { client } = useSession();
  const [hasChanges, setHasChanges] = useState(false);
  const [isAsking, setIsAsking] = useState(false);
  const load = useLoad(sandboxId, (signal) => client.tags.get(sandboxId, { signal }));
  const close = () => (hasChanges ? setIsAsking(true) : onClose());
  useUnsaved(hasChanges, close);
  return (
    <Dialog title="Edit tags" onClose={close}>
      {load.data ? (
        <TagForm
          sandboxId={sandboxId}
          loaded={load.data}
          isAsking={isAsking}
          onHasChanges={setHasChanges}
          onKeep={() => setIsAsking(false)}
          onClose={close}
          onDiscard={onClose}
          onSaved={onSaved}
        />
      ) : load.error ? (
        <LoadError sandboxId={sandboxId} error={load.error} retry={load.retry} />
      ) : (
        <div class="dialog-body" aria-busy="true">
          <Skeleton height="32px" />
          <Skeleton height="32px" />
          <Skeleton height="32px" />
        </div>
      )}
    </Dialog>
  );
}

interface LoadErrorProps {
  readonly sandboxId: string;
  readonly error: Error;
  readonly retry: () => void;
}

function LoadError({ sandboxId, error, retry }: LoadErrorProps) {
  if (!(error instanceof NotFoundError)) return <ErrorNotice error={error} retry={retry} />;
  return (
    <EmptyNotice title="Sandbox not found">
      <p>
        There is no sandbox <bdi>{sandboxId}</bdi> in this organization.
      </p>
    </EmptyNotice>
  );
}

/** Tags that the server refused, and why. */
interface Refused {
  readonly tags: TagEntries;
  readonly violations: readonly TagViolation[];
}

/** The reader's tags, and those that another writer saved since `base`. */
interface Conflict {
  readonly base: TagEntries;
  readonly mine: TagEntries;
  readonly theirs: SandboxTags;
}

interface FormProps {
  readonly sandboxId: string;
  readonly loaded: SandboxTags;
  readonly isAsking: boolean;
  readonly onHasChanges: (hasChanges: boolean) => void;
  readonly onKeep: () => void;
  readonly onClose: () => void;
  readonly onDiscard: () => void;
  readonly onSaved: () => void;
}

function TagForm(props: FormProps) {
  const { sandboxId, loaded, isAsking, onHasChanges, onKeep, onClose, onDiscard, onSaved } = props;
  const { client, suggestions } = useSession();
  const [base, setBase] = useState(loaded);
  const [rows, setRows] = useState(() => rowsOf(entriesOf(userTags(loaded.tags))));
  const [isSaving, setIsSaving] = useState(false);
  const [problem, setProblem] = useState<Error>();
  const [refused, setRefused] = useState<Refused>();
  const [conflict, setConflict] = useState<Conflict>();
  const checked = useMemo(() => check(rows), [rows]);
  const isChanged = !sameTags(checked.tags, entriesOf(userTags(base.tags)));

  const stillRefused = (refused?.violations ?? []).filter(({ key }) =>
    key === null
      ? refused?.tags.size === checked.tags.size
      : refused?.tags.get(key) === checked.tags.get(key),
  );
  const faults = joined(checked.faults, placed(rows, stillRefused));
  const general = new Set([
    ...checked.general,
    ...stillRefused
      .filter(({ key }) => rows.every((row) => row.key !== key))
      .map(({ key, message }) => (key === null ? message : `${key}: ${message}`)),
  ]);
  // A problem below the fields makes them less high, which must not hide the one that is typed in.
  const isRefused = general.size > 0;
  const body = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const field = document.activeElement;
    if (isRefused && body.current?.contains(field)) field?.scrollIntoView({ block: "nearest" });
  }, [isRefused]);
  // Invalid text is lost, too, if the dialog is closed.
  const hasChanges = isChanged || checked.faults.size > 0;
  useLayoutEffect(() => onHasChanges(hasChanges), [hasChanges]);
  const save = async (tags: TagEntries, read: SandboxTags) => {
    setIsSaving(true);
    setProblem(undefined);
    setRefused(undefined);
    try {
      await client.tags.set(sandboxId, asObject(tags), { ifMatch: condition(read) });
      finish();
    } catch (error) {
      if (error instanceof TagValidationError) {
        setRefused({ tags, violations: error.violations });
        resume(tags, read);
      } else if (error instanceof ConflictError) await compare(tags, read);
      else setProblem(error as Error);
    }
    setIsSaving(false);
  };
  const compare = async (mine: TagEntries, read: SandboxTags) => {
    try {
      const theirs = await client.tags.get(sandboxId);
      const base = entriesOf(userTags(read.tags));
      // Also after a write that was applied although its response was lost.
      if (sameTags(mine, entriesOf(userTags(theirs.tags)))) finish();
      else setConflict({ base, mine, theirs });
    } catch (error) {
      setProblem(error as Error);
    }
  };
  const finish = () => {
    suggestions.forgetKeys();
    onSaved();
  };
  /** Shows the form again, with other tags or against others. */
  const resume = (tags: TagEntries, read: SandboxTags) => {
    if (!conflict) return;
    setConflict(undefined);
    setBase(read);
    setRows(rowsOf(tags));
  };

  if (conflict) {
    const theirs = entriesOf(userTags(conflict.theirs.tags));
    return (
      <ConflictForm
        // Choices do not outlive the tags that they were made for.
        key={conflict.theirs.etag}
        theirs={theirs}
        differences={differences(conflict.base, conflict.mine, theirs)}
        isSaving={isSaving}
        isAsking={isAsking}
        problem={problem}
        onKeep={onKeep}
        onDiscard={onDiscard}
        onSave={(merged) => save(merged, conflict.theirs)}
        onEdit={(merged) => resume(merged, conflict.theirs)}
      />
    );
  }
  const system = inOrder(base.tags).filter(({ isSystem }) => isSystem);
  const isFull = checked.tags.size > LIMITS.maxTags;
  return (
    <form
      class="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (checked.isValid && isChanged && !isSaving) save(checked.tags, base);
      }}
    >
      <div class="dialog-body" ref={body}>
        <p class="form-head">
          <span class="muted">
            Tags of <bdi class="mono">{sandboxId}</bdi>
          </span>
          <span class={isFull ? "fault" : "muted"} aria-live="polite">
            {formatCount(checked.tags.size)} of {formatCount(LIMITS.maxTags)} tags
          </span>
        </p>
        <TagRows rows={rows} faults={faults} onChange={setRows} />
        {system.length > 0 && (
          <section class="system-tags" aria-label="System tags">
            <h3>System tags</h3>
            <p class="muted">Set by the platform. They cannot be edited.</p>
            <ul class="tags">
              {system.map((tag) => (
                <li key={tag.key}>
                  <Tag tag={tag} />
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
      {[...general].map((message) => (
        <p key={message} class="problem" role="alert">
          <bdi>{message}</bdi>
        </p>
      ))}
      {problem && <Problem title="The tags were not saved." error={problem} />}
      <Footer isAsking={isAsking} onKeep={onKeep} onDiscard={onDiscard}>
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!checked.isValid || !isChanged || isSaving}>
          {isSaving ? "Saving…" : problem ? "Try again" : "Save"}
        </button>
      </Footer>
    </form>
  );
}

/** Joins the faults that the rules found and those that the server reported. */
function joined(
  local: ReadonlyMap<number, Faults>,
  remote: ReadonlyMap<number, Faults>,
): ReadonlyMap<number, Faults> {
  const faults = new Map(local);
  for (const [id, { key, value }] of remote) {
    const found = faults.get(id) ?? { key: [], value: [] };
    faults.set(id, {
      key: [...new Set([...found.key, ...key])],
      value: [...new Set([...found.value, ...value])],
    });
  }
  return faults;
}
