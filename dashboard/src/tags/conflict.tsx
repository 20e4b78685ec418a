import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Footer, Problem } from "./footer.js";
import { type Difference, merge, type Side, sideOf, type TagEntries } from "./merge.js";
import { TagText } from "./tag.js";

interface Props {
  readonly theirs: TagEntries;
  readonly differences: readonly Difference[];
  readonly isSaving: boolean;
  readonly isAsking: boolean;
  readonly problem: Error | undefined;
  readonly onKeep: () => void;
  readonly onDiscard: () => void;
  readonly onSave: (merged: TagEntries) => void;
  /** Goes back to the form with the merged tags. */
  readonly onEdit: (merged: TagEntries) => void;
}

/** Shows what the reader and another writer changed since the same tags, and lets the reader choose per key. */
export function ConflictForm(props: Props) {
  const { theirs, differences, isSaving, isAsking, problem } = props;
  const { onKeep, onDiscard, onSave, onEdit } = props;
  const [choices, setChoices] = useState<ReadonlyMap<string, Side>>(new Map());
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const merged = merge(theirs, differences, choices);
  const open = differences.filter((each) => sideOf(each, choices) === undefined).length;
  return (
    <form
      class="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (merged && !isSaving) onSave(merged);
      }}
    >
      <div class="dialog-body">
        <h3 ref={heading} tabIndex={-1}>
          These tags were changed while you edited them
        </h3>
        <p class="muted">
          Nothing was saved. Choose a side for each key that you both changed. All other keys take
          the side that changed them.
        </p>
        <div class="conflict">
          <p class="difference head" aria-hidden="true">
            <span>Key</span>
            <span>Base</span>
            <span>Mine</span>
            <span>Theirs</span>
          </p>
          {differences.map((difference) => (
            <Choice
              key={difference.key}
              difference={difference}
              side={sideOf(difference, choices)}
              onChoose={(side) => setChoices(new Map(choices).set(difference.key, side))}
            />
          ))}
        </div>
      </div>
      {problem && <Problem title="The tags were not saved." error={problem} />}
      <Footer isAsking={isAsking} onKeep={onKeep} onDiscard={onDiscard}>
        <p class="muted" role="status">
          {open > 0 && `${open} ${open === 1 ? "key needs" : "keys need"} a choice`}
        </p>
        <button
          type="button"
          disabled={!merged || isSaving}
          onClick={() => merged && onEdit(merged)}
        >
          Edit the result
        </button>
        <button type="submit" class="primary" disabled={!merged || isSaving}>
          {isSaving ? "Saving…" : "Save the result"}
        </button>
      </Footer>
    </form>
  );
}

interface ChoiceProps {
  readonly difference: Difference;
  readonly side: Side | undefined;
  readonly onChoose: (side: Side) => void;
}

const SIDES = { mine: "Mine", theirs: "Theirs" } as const;

const ORIGINS = {
  mine: "Only you changed it",
  theirs: "Only they changed it",
  both: "Both changed it",
} as const;

/** The three values of a key. The names of the columns are hidden where the columns are wide enough. */
function Choice({ difference, side, onChoose }: ChoiceProps) {
  const { key, base, changedBy } = difference;
  const id = useId();
  return (
    <div
      class="difference"
      role="radiogroup"
      aria-labelledby={`${id}-key`}
      aria-describedby={`${id}-origin ${id}-base`}
    >
      <span>
        <bdi class="tag-text" id={`${id}-key`}>
          {key}
        </bdi>
        <small class={side === undefined ? "open" : "muted"} id={`${id}-origin`}>
          {ORIGINS[changedBy ?? "both"]}
        </small>
      </span>
      <span id={`${id}-base`}>
        <span class="column">Base </span>
        <TagText value={base} />
      </span>
      {(["mine", "theirs"] as const).map((each) => (
        <label key={each} class={side === each ? "chosen" : undefined}>
          <input type="radio" name={id} checked={side === each} onChange={() => onChoose(each)} />
          <span>
            <span class="column">{SIDES[each]} </span>
            <TagText value={difference[each]} />
          </span>
        </label>
      ))}
    </div>
  );
}
