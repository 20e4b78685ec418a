// The address bar: every view is a URL, and every URL is a view.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

/** The path and the query of the address bar. */
export interface Place {
  readonly path: string;
  readonly params: URLSearchParams;
}

const listeners = new Set<() => void>();

/** Asks the reader before the place is left; undefined if nothing is lost by leaving it. */
let ask: (() => void) | undefined;

/** The number of this entry of the history, which tells how far back or forward another one is. */
let index = entryIndex() ?? 0;
writeIndex();

window.addEventListener("popstate", () => {
  const reached = entryIndex();
  if (reached === undefined) {
    // A new entry, which differs in its fragment only.
    index += 1;
    writeIndex();
  } else if (ask && reached !== index) {
    history.go(index - reached);
    return ask();
  } else {
    index = reached;
  }
  for (const listener of listeners) listener();
});

function entryIndex(): number | undefined {
  return history.state?.index;
}

function writeIndex(): void {
  history.replaceState({ index }, "");
}

/**
 * Stays at this place when the reader goes back or forward, and calls `onLeave` instead, until the function that it
 * returns is called.
 */
export function holdPlace(onLeave: () => void): () => void {
  ask = onLeave;
  return () => {
    ask = undefined;
  };
}

function here(): Place {
  return { path: window.location.pathname, params: new URLSearchParams(window.location.search) };
}

/** Returns the current place, and renders again when it changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const listener = () => setPlace(here());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return place;
}

/** Writes a place as a URL. Leaves `:`, `,`, `[` and `]` readable, which are common in queries. */
export function href(path: string, params?: URLSearchParams): string {
  const query = params?.toString().replace(/%3A|%2C|%5B|%5D/g, decodeURIComponent) ?? "";
  return query === "" ? path : `${path}?${query}`;
}

/** Goes to a place. `replace` adds no entry to the history. */
export function navigate(to: string, { replace = false } = {}): void {
  if (to === window.location.pathname + window.location.search) return;
  if (!replace) index += 1;
  history[replace ? "replaceState" : "pushState"]({ index }, "", to);
  for (const listener of listeners) listener();
}

/** Decodes a segment of a path, or returns undefined if it is malformed, such as `%`. */
export function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly title?: string;
  /** True for the link to the current view. */
  readonly isCurrent?: boolean;
  readonly children: ComponentChildren;
}

/** A link within the dashboard. Modified clicks open new tabs as usual. */
export function Link({ to, class: className, title, isCurrent = false, children }: LinkProps) {
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    event.preventDefault();
    navigate(to);
    window.scrollTo(0, 0);
  };
  return (
    <a
      href={to}
      class={className}
      title={title}
      aria-current={isCurrent ? "page" : undefined}
      onClick={onClick}
    >
      {children}
    </a>
  );
}
