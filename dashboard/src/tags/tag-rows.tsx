import { validateTagKey } from "@opencomputer/usage";
import { useId, useRef } from "preact/hooks";
import { Combobox } from "../components/combobox.js";
import { useSession } from "../session.js";
import { type Checked, type Faults, newRow, type Row } from "./rows.js";

interface Props {
  readonly rows: readonly Row[];
  readonly faults: Checked["faults"];
  readonly onChange: (rows: readonly Row[]) => void;
  /** True for a form whose rows can also remove keys. */
  readonly canRemove?: boolean;
}

/** Fields for keys and values, one row per tag, and a button that adds a row. */
export function TagRows({ rows, faults, onChange, canRemove = false }: Props) {
  /** The row whose key gets the focus: the first one, then a new one. */
  const added = useRef(rows[0]?.id);
  const addButton = useRef<HTMLButtonElement>(null);
  const add = () => {
    const row = newRow();
    added.current = row.id;
    onChange([...rows, row]);
  };
  const remove = (removed: Row) => {
    onChange(rows.filter(({ id }) => id !== removed.id));
    addButton.current?.focus();
  };
  return (
    <fieldset class={canRemove ? "tag-rows with-action" : "tag-rows"} aria-label="Tags">
      {rows.length > 0 && (
        <div class="tag-row head" aria-hidden="true">
          {canRemove && <span>Action</span>}
          <span>Key</span>
          <span>Value</span>
        </div>
      )}
      {rows.map((row, index) => (
        <TagRow
          key={row.id}
          row={row}
          number={index + 1}
          taken={rows}
          faults={faults.get(row.id)}
          canRemove={canRemove}
          autoFocus={row.id === added.current}
          onChange={(changed) =>
            onChange(rows.map((other) => (other.id === row.id ? changed : other)))
          }
          onDelete={() => remove(row)}
        />
      ))}
      <button type="button" class="quiet add-row" ref={addButton} onClick={add}>
        + Add {canRemove ? "a change" : "a tag"}
      </button>
    </fieldset>
  );
}

interface RowProps {
  readonly row: Row;
  readonly number: number;
  readonly taken: readonly Row[];
  readonly faults: Faults | undefined;
  readonly canRemove: boolean;
  readonly autoFocus: boolean;
  readonly onChange: (row: Row) => void;
  readonly onDelete: () => void;
}

function TagRow(props: RowProps) {
  const { row, number, taken, faults, canRemove, autoFocus, onChange, onDelete } = props;
  const { suggestions } = useSession();
  const id = useId();
  const notes = notesOf(row.value);
  const describesValue = (faults && faults.value.length > 0) || notes !== undefined;
  return (
    <div class="tag-row">
      {canRemove && (
        <select
          aria-label={`Action ${number}`}
          value={row.removes ? "remove" : "set"}
          onChange={(event) => {
            const removes = event.currentTarget.value === "remove";
            onChange({ ...row, removes, value: removes ? "" : row.value });
          }}
        >
          <option value="set">Set</option>
          <option value="remove">Remove</option>
        </select>
      )}
      <div class="field">
        <Combobox
          name={`Key ${number}`}
          value={row.key}
          placeholder="Key"
          autoFocus={autoFocus}
          invalid={faults !== undefined && faults.key.length > 0}
          describedBy={faults && faults.key.length > 0 ? `${id}-key` : undefined}
          suggest={async (text) => {
            const keys = await suggestions.keys(text);
            return keys.filter(
              ({ value }) =>
                validateTagKey(value).length === 0 && !taken.some((other) => other.key === value),
            );
          }}
          onInput={(key) => onChange({ ...row, key })}
        />
        {faults && <Messages id={`${id}-key`} messages={faults.key} />}
      </div>
      <div class="field">
        {row.removes ? (
          <p class="muted any-value">with any value</p>
        ) : (
          <Combobox
            name={`Value ${number}`}
            value={row.value}
            placeholder={row.key === "" ? "Value" : "(empty)"}
            invalid={faults !== undefined && faults.value.length > 0}
            describedBy={describesValue ? `${id}-value` : undefined}
            suggest={async (text, signal) => {
              if (validateTagKey(row.key).length > 0) return [];
              const values = await suggestions.values(`tag:${row.key}`, text, signal);
              return values.filter(({ value }) => value !== text);
            }}
            onInput={(value) => onChange({ ...row, value })}
          />
        )}
        {describesValue && (
          <Messages id={`${id}-value`} messages={faults?.value ?? []} note={notes} />
        )}
      </div>
      <button
        type="button"
        class="quiet"
        aria-label={canRemove ? `Delete row ${number}` : `Remove tag ${number}`}
        onClick={onDelete}
      >
        ✕
      </button>
    </div>
  );
}

/** Returns what a one-line field does not show of a value. */
function notesOf(value: string): string | undefined {
  if (/[\r\n]/.test(value)) return "Has line breaks, which editing the value removes.";
  if (value !== value.trim()) return "Starts or ends with white space, which counts.";
  return undefined;
}

interface MessagesProps {
  readonly id: string;
  readonly messages: readonly string[];
  readonly note?: string | undefined;
}

function Messages({ id, messages, note }: MessagesProps) {
  return (
    <div id={id} class="messages">
      {messages.map((message) => (
        <p key={message} class="fault">
          <bdi>{message}</bdi>
        </p>
      ))}
      {note !== undefined && <p class="muted">{note}</p>}
    </div>
  );
}
