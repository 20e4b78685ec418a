const inUnit = (unit: string, maximumFractionDigits: number) =>
  new Intl.NumberFormat(undefined, {
    style: "unit",
    unit,
    unitDisplay: "long",
    maximumFractionDigits,
  });
const UNITS = [
  { from: 172_800, length: 86_400, format: inUnit("day", 1) },
  { from: 3_600, length: 3_600, format: inUnit("hour", 1) },
  { from: 60, length: 60, format: inUnit("minute", 0) },
];
const seconds = inUnit("second", 6);

/** Formats a duration in the unit that fits it: from two days on in days. */
export function formatDuration(duration: number): string {
  const unit = UNITS.find(({ from }) => duration >= from);
  return unit ? unit.format.format(duration / unit.length) : formatSeconds(duration);
}

/** Formats a duration in exact seconds. */
export const formatSeconds = (duration: number): string => seconds.format(duration);
