import { explain } from "../components/notice.js";
import type { Effect, Item, Progress } from "./bulk.js";
import { TagText } from "./tag.js";

/** The plan and the result of every sandbox of a bulk edit. */
export function BulkList({ items }: { readonly items: readonly Item[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard.
    <ul class="bulk-list" aria-label="Sandboxes" tabIndex={0}>
      {items.map(({ id, alias, progress }) => (
        <li key={id} class="bulk-item">
          <div>
            <bdi class="mono">{id}</bdi>
            {alias !== undefined && <bdi class="muted">{alias}</bdi>}
          </div>
          <Effects progress={progress} />
          <State progress={progress} />
        </li>
      ))}
    </ul>
  );
}

function Effects({ progress }: { readonly progress: Progress }) {
  const effects = progress.step === "unread" ? [] : (progress.plan?.effects ?? []);
  return (
    <ul class="effects">
      {effects.map((effect) => (
        <li key={effect.key} class={effect.kind}>
          <EffectText effect={effect} />
        </li>
      ))}
    </ul>
  );
}

function EffectText({ effect: { kind, key, before, after } }: { readonly effect: Effect }) {
  return (
    <>
      <span class="kind">{kind}</span>
      <bdi class="tag-key">{key}</bdi>
      {kind === "changed" ? (
        <>
          <del>
            <TagText value={before} />
          </del>
          <span aria-hidden="true">→</span>
          <ins>
            <TagText value={after} />
          </ins>
        </>
      ) : (
        <TagText value={after ?? before} />
      )}
    </>
  );
}

const STATES = {
  unread: "Not read yet",
  planned: "To change",
  writing: "Writing…",
  done: "Done",
  unchanged: "Unchanged",
  refused: "Refused",
  conflict: "Conflict",
  failed: "Failed",
} as const;

function State({ progress }: { readonly progress: Progress }) {
  return (
    <div>
      <span class={`step ${progress.step}`}>{STATES[progress.step]}</span>
      <Reason progress={progress} />
    </div>
  );
}

function Reason({ progress }: { readonly progress: Progress }) {
  if (progress.step === "conflict")
    return <small>Its tags changed after the dry run. Nothing was written.</small>;
  if (progress.step === "refused")
    return progress.violations.map(({ code, key, message }) => (
      <small key={code + key}>
        <bdi>{message}</bdi>
      </small>
    ));
  if (progress.step !== "failed") return null;
  const { text, requestId } = explain(progress.error);
  return (
    <small>
      <bdi>{text}</bdi>
      {requestId !== undefined && (
        <>
          {" · "}Request <code>{requestId}</code>
        </>
      )}
    </small>
  );
}
