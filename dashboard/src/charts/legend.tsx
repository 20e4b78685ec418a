import type { UsageBucket } from "@opencomputer/usage";
import { formatGbHours, formatGbSeconds } from "../format.js";
import { intervalName } from "./bucket.js";
import type { GroupKind } from "./colors.js";

interface Entry {
  readonly key: string;
  readonly name: string;
  readonly kind: GroupKind;
  readonly class: string;
  /** GB-seconds. */
  readonly total: number;
}

interface Props {
  readonly entries: readonly Entry[];
  /** The sum of the entries, GB-seconds. */
  readonly total: number;
  readonly buckets: readonly UsageBucket[];
  readonly interval: string;
  readonly onEmphasize: (key: string | null) => void;
  readonly onSelect: (key: string) => void;
}

/** The groups of a chart with their totals. Groups are buttons. */
export function Legend({ entries, total, buckets, interval, onEmphasize, onSelect }: Props) {
  return (
    <ul class="legend" aria-label="Groups, GB-hours">
      <li>
        <span title={formatGbSeconds(total)}>Total {formatGbHours(total)} GB-hours</span>
      </li>
      {entries.map(({ key, name, kind, class: color, total }) => {
        const content = (
          <>
            <span class={`swatch ${color}`} />
            <bdi>{name}</bdi>
            <span class="muted" title={formatGbSeconds(total)}>
              {formatGbHours(total)}
            </span>
          </>
        );
        return (
          <li
            key={key}
            onPointerEnter={() => onEmphasize(key)}
            onPointerLeave={() => onEmphasize(null)}
            onFocusIn={() => onEmphasize(key)}
            onFocusOut={() => onEmphasize(null)}
          >
            {kind === "group" ? (
              <button type="button" class="quiet" onClick={() => onSelect(key)}>
                {content}
              </button>
            ) : (
              <span>{content}</span>
            )}
          </li>
        );
      })}
      <PartialKey {...{ buckets, interval }} />
    </ul>
  );
}

/** The entry of a legend for buckets that the window cuts, if there are any. */
export function PartialKey({ buckets, interval }: Pick<Props, "buckets" | "interval">) {
  if (!buckets.some(({ partial }) => partial)) return null;
  return (
    <li>
      <span class="muted">
        <span class="swatch partial" />
        Partial {intervalName(interval)}
      </span>
    </li>
  );
}
