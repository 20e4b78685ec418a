import type { SandboxStatus } from "@opencomputer/usage";
import { formatInstant, formatShortDate } from "../format.js";

const KNOWN: readonly string[] = ["running", "hibernated", "stopped", "error"];

/** The status of a sandbox: a dot and the word. */
export function Status({ status }: { readonly status: SandboxStatus }) {
  return (
    <span class={KNOWN.includes(status) ? `status ${status}` : "status"}>
      <bdi>{status}</bdi>
    </span>
  );
}

interface InstantProps {
  readonly at: string;
  readonly timeZone: string;
  /** True for a form without the year, which the title has. */
  readonly isShort?: boolean;
}

/** An instant in a time zone. */
export function Instant({ at, timeZone, isShort = false }: InstantProps) {
  const full = formatInstant(at, timeZone);
  return (
    <time dateTime={at} title={isShort ? full : undefined}>
      {isShort ? formatShortDate(at, timeZone, true) : full}
    </time>
  );
}
