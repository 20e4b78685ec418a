import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { explain } from "../components/notice.js";
import { holdPlace } from "../router.js";

interface Props {
  /** True while the reader is asked whether to discard the changes. */
  readonly isAsking: boolean;
  readonly onKeep: () => void;
  readonly onDiscard: () => void;
  readonly children: ComponentChildren;
}

/** The buttons of a dialog, or the question whether to discard its changes. */
export function Footer({ isAsking, onKeep, onDiscard, children }: Props) {
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isAsking) return;
    // Returns the focus to the field that had it.
    const focused = document.activeElement;
    keep.current?.focus();
    return () => {
      if (focused instanceof HTMLElement) focused.focus();
    };
  }, [isAsking]);
  if (!isAsking) return <footer class="dialog-actions">{children}</footer>;
  return (
    <footer class="dialog-actions">
      <p role="alert">Discard your changes?</p>
      <button type="button" ref={keep} onClick={onKeep}>
        Keep editing
      </button>
      <button type="button" class="danger" onClick={onDiscard}>
        Discard
      </button>
    </footer>
  );
}

/** While there are changes, lets the browser ask before the tab is closed, and calls `onLeave` instead of going back. */
export function useUnsaved(hasChanges: boolean, onLeave: () => void): void {
  const latest = useRef(onLeave);
  latest.current = onLeave;
  // A layout effect: the reader may go back before the change is painted.
  useLayoutEffect(() => {
    if (!hasChanges) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    const release = holdPlace(() => latest.current());
    return () => {
      window.removeEventListener("beforeunload", ask);
      release();
    };
  }, [hasChanges]);
}

/** Reports why a request failed, beside what was typed. */
export function Problem({ title, error }: { readonly title: string; readonly error: Error }) {
  const { text, requestId } = explain(error);
  return (
    <div class="problem" role="alert">
      <b>{title}</b> <bdi>{text}</bdi>
      {requestId !== undefined && (
        <>
          {" · "}Request <code>{requestId}</code>
        </>
      )}
    </div>
  );
}
