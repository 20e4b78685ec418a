import {
  ConnectionError,
  OpenComputerError,
  RateLimitError,
  ServerError,
  TimeoutError,
} from "@opencomputer/usage";
import type { ComponentChildren } from "preact";

/** An error in words: a title, and the sentence of the server or of the client. */
export interface Explained {
  readonly title: string;
  readonly text: string;
  readonly requestId: string | undefined;
}

/** Explains an error to a reader. */
export function explain(error: Error): Explained {
  const requestId = error instanceof OpenComputerError ? error.requestId : undefined;
  return { title: titleOf(error), text: error.message, requestId };
}

function titleOf(error: Error): string {
  if (error instanceof TimeoutError) return "The server took too long";
  if (error instanceof ConnectionError)
    return navigator.onLine ? "The server cannot be reached" : "You are offline";
  if (error instanceof RateLimitError) return "Too many requests";
  if (error instanceof ServerError) return "The server failed";
  return "This cannot be shown";
}

/** Reports an error where its data would be, with a way to try again. */
export function ErrorNotice({
  error,
  retry,
}: {
  readonly error: Error;
  readonly retry: () => void;
}) {
  const { title, text, requestId } = explain(error);
  return (
    <div class="notice" role="alert">
      <h2>{title}</h2>
      <p>{text}</p>
      {requestId !== undefined && (
        <p class="muted">
          Request <code>{requestId}</code>
        </p>
      )}
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

/** Says that there is nothing to show, and what would change that. */
export function EmptyNotice({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="notice">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A placeholder with the size of what is loading, in CSS units. */
export function Skeleton({
  width = "100%",
  height = "1em",
}: {
  readonly width?: string;
  readonly height?: string;
}) {
  return <span class="skeleton" aria-hidden="true" style={{ width, height }} />;
}
