// Numbers and times in the reader's locale.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const thousandths = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 9 });
const short = new Intl.NumberFormat(undefined, {
  notation: "compact",
  maximumSignificantDigits: 3,
});
const extreme = new Intl.NumberFormat(undefined, {
  notation: "scientific",
  maximumSignificantDigits: 3,
});
const percent = new Intl.NumberFormat(undefined, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const signedPercent = new Intl.NumberFormat(undefined, {
  style: "percent",
  maximumFractionDigits: 0,
  signDisplay: "exceptZero",
});

export const formatCount = (count: number): string => whole.format(count);
export const formatShare = (share: number): string => percent.format(share);
export const formatChange = (change: number): string => signedPercent.format(change);

/** Formats GB-seconds as GB-hours without the unit, with digits that fit the size. */
export function formatGbHours(gbSeconds: number): string {
  const hours = gbSeconds / 3_600;
  const size = Math.abs(hours);
  if (isExtreme(hours)) return extreme.format(hours);
  return (size >= 1_000 || size === 0 ? whole : size >= 1 ? tenths : thousandths).format(hours);
}

/** Formats GB-seconds as GB-hours in a few characters, for axes: `12.3K`. */
export function formatShortGbHours(gbSeconds: number): string {
  const hours = gbSeconds / 3_600;
  return (isExtreme(hours) ? extreme : short).format(hours);
}

/** Returns whether a number has more zeros than a reader can count. */
const isExtreme = (number: number): boolean =>
  number !== 0 && (Math.abs(number) >= 1e15 || Math.abs(number) < 1e-6);

/** Formats a number with all its digits, without a unit. */
export const formatExact = (amount: number): string => exact.format(amount);

/** Formats exact GB-seconds with the unit. */
export const formatGbSeconds = (gbSeconds: number): string =>
  `${formatExact(gbSeconds)} GB-seconds`;

/** Formats MB of 2²⁰ bytes: as GB from 1,024 on. */
export const formatMb = (mb: number): string =>
  mb >= 1_024 ? `${thousandths.format(mb / 1_024)} GB` : `${whole.format(mb)} MB`;

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = timeZone + JSON.stringify(options);
  let made = formatters.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(undefined, { ...options, timeZone });
    formatters.set(key, made);
  }
  return made;
}

const DATE = { year: "numeric", month: "short", day: "numeric" } as const;
const TIME = { hour: "2-digit", minute: "2-digit" } as const;

/** Formats an instant as a date and a time of a zone. */
export const formatInstant = (instant: string, timeZone: string): string =>
  formatter(timeZone, { ...DATE, ...TIME, timeZoneName: "short" }).format(new Date(instant));

/** Formats an instant as a date of a zone. */
export const formatDate = (instant: string, timeZone: string): string =>
  formatter(timeZone, DATE).format(new Date(instant));

/** Formats an instant as a date without the year, or with the time if `withTime`. */
export const formatShortDate = (instant: string, timeZone: string, withTime = false): string =>
  formatter(timeZone, { month: "short", day: "numeric", ...(withTime ? TIME : {}) }).format(
    new Date(instant),
  );

/** Formats an instant as a time of day of a zone. */
export const formatTime = (instant: string, timeZone: string): string =>
  formatter(timeZone, TIME).format(new Date(instant));

/** Formats an instant as a month and a year of a zone. */
export const formatMonth = (instant: string, timeZone: string): string =>
  formatter(timeZone, { year: "numeric", month: "short" }).format(new Date(instant));

/** Formats the time from one instant to another, exclusive, as dates, or with times if `withTime`. */
export function formatRange(from: string, to: string, timeZone: string, withTime: boolean): string {
  const options = withTime ? { ...DATE, ...TIME, timeZoneName: "short" as const } : DATE;
  const end = Date.parse(to) - (withTime ? 0 : 1);
  return formatter(timeZone, options).formatRange(Date.parse(from), end);
}

/** The time zone of the browser. Some name one that is unknown `Etc/Unknown`, which is no time zone of the database. */
export function browserTimeZone(): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone && zone !== "Etc/Unknown" ? zone : "UTC";
}
