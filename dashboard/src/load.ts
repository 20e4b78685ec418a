import { AuthenticationError, ConnectionError } from "@opencomputer/usage";
import { useCallback, useEffect, useState } from "preact/hooks";
import { useSession } from "./session.js";

/** The state of data that comes from the server. */
export interface Load<T> {
  /** The last data, also while newer data is loading; undefined before the first. */
  readonly data: T | undefined;
  /** Why the last request failed; undefined while a request is running. */
  readonly error: Error | undefined;
  readonly loading: boolean;
  readonly retry: () => void;
}

/**
 * Loads data whenever `key` changes, and cancels the request before. Requests that found no server are repeated when
 * the browser is online again. A rejected API key ends the session.
 */
export function useLoad<T>(key: string, fetch: (signal: AbortSignal) => Promise<T>): Load<T> {
  const { signOut } = useSession();
  const [state, setState] = useState<Omit<Load<T>, "retry">>({
    data: undefined,
    error: undefined,
    loading: true,
  });
  const [attempt, setAttempt] = useState(0);
  const retry = useCallback(() => setAttempt((attempt) => attempt + 1), []);
  // `key` stands for everything that `fetch` captures.
  useEffect(() => {
    const abort = new AbortController();
    setState(({ data }) => ({ data, error: undefined, loading: true }));
    fetch(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ data, error: undefined, loading: false });
      },
      (error: Error) => {
        if (abort.signal.aborted) return;
        if (error instanceof AuthenticationError)
          signOut("The server rejected this key. It may have expired.");
        setState(({ data }) => ({ data, error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [key, attempt]);
  useEffect(() => {
    if (!(state.error instanceof ConnectionError)) return;
    window.addEventListener("online", retry);
    return () => window.removeEventListener("online", retry);
  }, [state.error]);
  return { ...state, retry };
}
