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

/** Formats the range of a bucket: as dates if it consists of whole days, else with the time. */
export function formatBucket(bucket: UsageBucket, interval: string, timeZone: string): string {
  const isDays = interval === "1d" || interval === "1w" || interval === "1mo";
  return formatRange(bucket.from, bucket.to, timeZone, !isDays || bucket.partial === true);
}
