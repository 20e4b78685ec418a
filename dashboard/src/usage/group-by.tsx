import { LIMITS } from "@opencomputer/usage";
import { useEffect, useState } from "preact/hooks";
import type { Option } from "../components/combobox.js";
import { Popover } from "../components/popover.js";
import { dimensionName } from "../dimensions.js";
import { useSession } from "../session.js";
import { groupingName } from "./groups.js";

interface Props {
  /** The dimensions; undefined until the default is known. */
  readonly groupBy: readonly string[] | undefined;
  readonly onChange: (groupBy: readonly string[]) => void;
}

/** From so many options on, a field narrows them. */
const MANY = 10;

/** Chooses one to three dimensions, or the sandbox alone. */
export function GroupByPicker({ groupBy = [], onChange }: Props) {
  const name = groupingName(groupBy);
  return (
    <Popover
      class="picker group-by"
      name={`Group by ${name}`}
      label={
        <>
          <span class="muted">Group by</span> <bdi>{name || "…"}</bdi>
        </>
      }
    >
      {(close) => (
        <Options
          groupBy={groupBy}
          onToggle={onChange}
          onChoose={(dimension) => {
            close();
            onChange([dimension]);
          }}
        />
      )}
    </Popover>
  );
}

interface OptionsProps {
  readonly groupBy: readonly string[];
  readonly onToggle: (groupBy: readonly string[]) => void;
  readonly onChoose: (dimension: string) => void;
}

function Options({ groupBy, onToggle, onChoose }: OptionsProps) {
  const { suggestions } = useSession();
  const [text, setText] = useState("");
  const [options, setOptions] = useState<readonly Option[]>([]);
  useEffect(() => {
    suggestions.dimensions("").then(setOptions, () => setOptions([]));
  }, []);
  const shown = options.filter(({ label }) => label?.toLowerCase().includes(text.toLowerCase()));
  // A dimension of the URL can be unknown.
  const known = new Set(options.map(({ value }) => value));
  const unknown = groupBy.filter((dimension) => !known.has(dimension));
  const combined = groupBy.filter((dimension) => dimension !== "sandbox");
  const toggle = (dimension: string) =>
    onToggle(
      combined.includes(dimension)
        ? combined.filter((other) => other !== dimension)
        : [...combined, dimension],
    );
  return (
    <>
      <h2>Group by</h2>
      <p class="muted">Choose one, or tick up to {LIMITS.maxGroupByDimensions} to combine them.</p>
      {options.length > MANY && (
        <input
          type="text"
          aria-label="Find a dimension"
          placeholder="Find"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      )}
      <ul>
        {[
          ...unknown.map((value) => ({ value, label: dimensionName(value), detail: "" })),
          ...shown,
        ].map(({ value, label, detail }) => (
          <li key={value}>
            {value === "sandbox" ? (
              <span />
            ) : (
              <input
                type="checkbox"
                aria-label={`Combine with ${label}`}
                checked={combined.includes(value)}
                disabled={
                  combined.includes(value)
                    ? combined.length === 1
                    : combined.length >= LIMITS.maxGroupByDimensions
                }
                onChange={() => toggle(value)}
              />
            )}
            <button
              type="button"
              aria-pressed={groupBy.length === 1 && groupBy[0] === value}
              onClick={() => onChoose(value)}
            >
              <bdi>{label}</bdi>
              <small>{detail}</small>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
