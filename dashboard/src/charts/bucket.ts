import type { UsageBucket } from "@opencomputer/usage";
import { formatRange } from "../format.js";

const NAMES: Readonly<Record<string, string>> = {
  "1m": "minute",
  "1h": "hour",
  "1d": "day",
  "1w": "week",
  "1mo": "month",
};

/** Returns the name of an interval: `day`. */
export const intervalName = (interval: string): string => NAMES[interval] ?? "bucket";

/** Returns whether buckets consist of whole days, unless the window cuts them. */
export const isDays = (interval: string): boolean =>
  interval === "1d" || interval === "1w" || interval === "1mo";

/** Formats the range of a bucket: as dates if it consists of whole days, else with the time. */
export function formatBucket(bucket: UsageBucket, interval: string, timeZone: string): string {
  const withTime = !isDays(interval) || bucket.partial === true;
  return formatRange(bucket.from, bucket.to, timeZone, withTime);
}
