import type { UsageBucket } from "@opencomputer/usage";
import { formatMonth, formatShortDate, formatTime } from "../format.js";

/** A label at the start of a bucket. */
export interface TimeTick {
  /** The index of the bucket. */
  readonly bucket: number;
  readonly text: string;
}

/** The ticks of one density. */
export type TickLevel = readonly TimeTick[];

/** A local time: minute and hour count from the start of the day, day and month from an epoch. */
interface LocalTime {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly isMonthStart: boolean;
}

const DAY = 86_400_000;
/** The width of a character of an axis label, in pixels, with some room. */
export const CHARACTER = 6.4;
const LABEL_GAP = 14;
/** More ticks do not fit in the widest chart, so their labels are not even formatted. */
const MOST_TICKS = 100;

type Unit = "minute" | "hour" | "day" | "month";

/** The distances of ticks, from dense to sparse. A week has seven days and starts on Monday. */
const STEPS: readonly (readonly [Unit, number])[] = [
  ...[1, 5, 10, 15, 30].map((count) => ["minute", count] as const),
  ...[1, 2, 3, 6, 12].map((count) => ["hour", count] as const),
  ...[1, 2, 7, 14, 28].map((count) => ["day", count] as const),
  ...[1, 2, 3, 6, 12, 24, 60, 120].map((count) => ["month", count] as const),
];

const SMALLEST: Readonly<Record<string, Unit>> = {
  "1h": "hour",
  "1d": "day",
  "1w": "day",
  "1mo": "month",
};
const UNITS: readonly Unit[] = ["minute", "hour", "day", "month"];

/**
 * Returns the sets of ticks that a width may choose from, from dense to sparse. A tick is the start of a bucket in which
 * a new step begins in local time, so it is right also where clocks change.
 */
export function tickLevels(
  buckets: readonly UsageBucket[],
  interval: string,
  timeZone: string,
): TickLevel[] {
  const first = buckets[0];
  if (!first) return [];
  const readTime = localTimes(timeZone);
  const starts = buckets.map(({ from }) => readTime(Date.parse(from)));
  const beforeFirst = readTime(Date.parse(first.from) - 1);
  const smallest = UNITS.indexOf(SMALLEST[interval] ?? "minute");
  const levels: TickLevel[] = [];
  for (const [unit, count] of STEPS) {
    if (UNITS.indexOf(unit) < smallest) continue;
    const before = (bucket: number) => starts[bucket - 1] ?? beforeFirst;
    const ticks = starts
      .map((start, bucket) => ({ start, bucket, before: before(bucket) }))
      .filter((tick) => stepOf(tick.start, unit, count) !== stepOf(tick.before, unit, count));
    if (ticks.length === 0 || ticks.length > MOST_TICKS) continue;
    levels.push(
      ticks.map(({ start, bucket, before }) => ({
        bucket,
        text: label(buckets[bucket]?.from ?? "", timeZone, start, unit, before),
      })),
    );
  }
  const withTime = smallest < UNITS.indexOf("day");
  levels.push([{ bucket: 0, text: formatShortDate(first.from, timeZone, withTime) }]);
  return levels;
}

/** Returns the densest ticks whose labels fit beside each other. Labels start at their bucket. */
export function fittingTicks(
  levels: readonly TickLevel[],
  edges: readonly number[],
  right: number,
): TickLevel {
  for (const level of levels) {
    const kept = level.filter(
      ({ bucket, text }) => (edges[bucket] ?? 0) + text.length * CHARACTER <= right,
    );
    const fits = kept.every(({ bucket, text }, i) => {
      const next = kept[i + 1];
      const end = (edges[bucket] ?? 0) + text.length * CHARACTER + LABEL_GAP;
      return !next || end <= (edges[next.bucket] ?? 0);
    });
    if (fits && kept.length > 0) return kept;
  }
  return levels.at(-1) ?? [];
}

/** Returns the number of the step that a time is in. */
function stepOf(time: LocalTime, unit: Unit, count: number): number {
  if (unit === "day" && count >= 7) return Math.floor((time.day + 3) / count);
  if (unit === "day" || unit === "month") return Math.floor(time[unit] / count);
  return time.day * 1_440 + Math.floor(time[unit] / count);
}

function label(
  from: string,
  timeZone: string,
  start: LocalTime,
  unit: Unit,
  before: LocalTime,
): string {
  if (unit === "month" && start.isMonthStart) return formatMonth(from, timeZone);
  const isTime = (unit === "minute" || unit === "hour") && start.day === before.day;
  return (isTime ? formatTime : formatShortDate)(from, timeZone);
}

/** Returns a function that reads the local time of an instant. */
function localTimes(timeZone: string): (instant: number) => LocalTime {
  const format = new Intl.DateTimeFormat("en-US", {
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    timeZone,
  });
  return (instant) => {
    const fields: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(instant)) fields[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = fields;
    return {
      minute: hour * 60 + minute,
      hour,
      day: Date.UTC(year, month - 1, day) / DAY,
      month: year * 12 + month - 1,
      isMonthStart: day === 1,
    };
  };
}
