// The API key: typed or taken from the URL fragment, kept for this tab only, and never part of a URL that is requested.

import { UsageClient } from "@opencomputer/usage";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Suggestions } from "./dimensions.js";
import { readStored, store } from "./storage.js";

/** The entry of `sessionStorage`, which ends with the tab and is not shared with others. */
const STORED = "opencomputer-usage.key";

/** A signed-in reader. */
export interface Session {
  readonly client: UsageClient;
  readonly suggestions: Suggestions;
  /** Forgets the key and shows the sign-in, with the reason if the server rejected the key. */
  readonly signOut: (reason?: string) => void;
}

export const SessionContext = createContext<Session | null>(null);

/** Returns the session. Call it only below the sign-in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("there is no session");
  return session;
}

/** Returns the key of this tab: one in the fragment, which replaces the stored key, or the stored one. */
export const takeKey = (): string | null =>
  takeFragmentKey() ?? readStored("sessionStorage", STORED);

/**
 * Returns the key in the fragment (`/#key=…`) and stores it, or null if there is none. It is removed from the address bar
 * and from the history.
 */
export function takeFragmentKey(): string | null {
  const { hash, pathname, search } = window.location;
  const key = new URLSearchParams(hash.slice(1)).get("key");
  if (key === null) return null;
  history.replaceState(history.state, "", pathname + search);
  storeKey(key);
  return key;
}

export const storeKey = (key: string): void => store("sessionStorage", STORED, key);

export const forgetKey = (): void => store("sessionStorage", STORED, null);

/** Returns a client of the server that serves this page. */
export function connect(apiKey: string): UsageClient {
  return new UsageClient({
    apiKey,
    baseUrl: window.location.origin,
    // The reader's own key, in the reader's own browser.
    dangerouslyAllowBrowser: true,
  });
}
