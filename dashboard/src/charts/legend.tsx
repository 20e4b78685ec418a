import { formatGbHours, formatGbSeconds } from "../format.js";
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
  readonly onEmphasize: (key: string | null) => void;
  readonly onSelect: (key: string) => void;
}

/** The groups of a chart with their totals. Groups are buttons. */
export function Legend({ entries, onEmphasize, onSelect }: Props) {
  return (
    <ul class="legend" aria-label="Groups, GB-hours">
      {entries.map(({ key, name, kind, class: color, total }) => {
        const content = (
          <>
            <span class={`swatch ${color}`} />
            <bdi>{name}</bdi>
            <span class="muted" title={formatGbSeconds(total)}>
              {formatGbHours(total)} <abbr title="GB-hours">GB-h</abbr>
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
    </ul>
  );
}
