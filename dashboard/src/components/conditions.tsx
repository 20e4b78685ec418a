import { useId, useState } from "preact/hooks";
import {
  type Condition,
  condition,
  OPERATORS,
  type Operator,
  operatorOf,
  valuesOf,
  withCondition,
  withEdited,
  withoutCondition,
} from "../conditions.js";
import { dimensionName } from "../dimensions.js";
import { useSession } from "../session.js";
import { Combobox } from "./combobox.js";
import { Popover } from "./popover.js";

interface Props {
  readonly conditions: readonly Condition[];
  readonly onChange: (conditions: readonly Condition[]) => void;
}

/** Filters and exclusions as chips, each of which can be edited and removed, and a button that adds one. */
export function Conditions({ conditions, onChange }: Props) {
  return (
    <fieldset class="conditions" aria-label="Filters">
      {conditions.map((each) => (
        <span class="chip" key={each.kind + each.dimension}>
          <Popover label={<Sentence condition={each} />}>
            {(close) => (
              <Editor
                dimension={each.dimension}
                initial={each}
                onApply={(edited) => {
                  close();
                  onChange(withEdited(conditions, each, edited));
                }}
              />
            )}
          </Popover>
          <button
            type="button"
            aria-label={`Remove the filter on ${dimensionName(each.dimension)}`}
            onClick={() => onChange(withoutCondition(conditions, each))}
          >
            ✕
          </button>
        </span>
      ))}
      <Popover label="+ Filter" class="add">
        {(close) => (
          <NewCondition
            onApply={(added) => {
              close();
              onChange(withCondition(conditions, added));
            }}
          />
        )}
      </Popover>
    </fieldset>
  );
}

function Sentence({ condition }: { readonly condition: Condition }) {
  const operator = operatorOf(condition);
  const values = valuesOf(condition);
  const shown = values ? values.map((value) => value || "(empty)").join(", ") : condition.text;
  return (
    <>
      <b>
        <bdi>{dimensionName(condition.dimension)}</bdi>
      </b>{" "}
      {OPERATORS[operator].name}{" "}
      {OPERATORS[operator].hasValues && <bdi class="values">{shown}</bdi>}
    </>
  );
}

function NewCondition({ onApply }: { readonly onApply: (added: Condition) => void }) {
  const { suggestions } = useSession();
  const [dimension, setDimension] = useState<string>();
  const [text, setText] = useState("");
  if (dimension !== undefined) return <Editor dimension={dimension} onApply={onApply} />;
  return (
    <div class="condition">
      <h2>Filter by</h2>
      <Combobox
        name="Dimension"
        value={text}
        placeholder="Tag key, template, region, …"
        autoFocus
        suggest={(text) => suggestions.dimensions(text)}
        onInput={setText}
        onChoose={async (chosen) => {
          const known = await suggestions.dimensions("").catch(() => []);
          const named = known.find(({ value, label }) => value === chosen || label === chosen);
          if (chosen !== "") setDimension(named?.value ?? `tag:${chosen}`);
        }}
      />
    </div>
  );
}

interface EditorProps {
  readonly dimension: string;
  readonly initial?: Condition;
  readonly onApply: (condition: Condition) => void;
}

function Editor({ dimension, initial, onApply }: EditorProps) {
  const { suggestions } = useSession();
  const [operator, setOperator] = useState<Operator>(initial ? operatorOf(initial) : "any");
  const [values, setValues] = useState<readonly string[]>((initial && valuesOf(initial)) ?? []);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string>();
  const id = useId();
  const { hasValues } = OPERATORS[operator];
  // The id of a sandbox is never missing.
  const operators = (Object.keys(OPERATORS) as Operator[]).filter(
    (operator) => OPERATORS[operator].hasValues || dimension !== "sandbox",
  );
  const add = (value: string) => {
    if (!values.includes(value)) setValues([...values, value]);
    setText("");
  };
  const apply = (event: SubmitEvent) => {
    event.preventDefault();
    try {
      onApply(condition(dimension, operator, text === "" ? values : [...values, text]));
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <form class="condition" onSubmit={apply}>
      <label>
        <bdi>{dimensionName(dimension)}</bdi>
        <select
          value={operator}
          onChange={(event) => setOperator(event.currentTarget.value as Operator)}
        >
          {operators.map((operator) => (
            <option key={operator} value={operator}>
              {OPERATORS[operator].name}
            </option>
          ))}
        </select>
      </label>
      {hasValues && (
        <>
          {values.length > 0 && (
            <ul>
              {values.map((value) => (
                <li key={value} class="chip">
                  <bdi>{value || "(empty)"}</bdi>
                  <button
                    type="button"
                    aria-label={`Remove ${value || "the empty value"}`}
                    onClick={() => setValues(values.filter((other) => other !== value))}
                  >
                    ✕
                  </button>
                </li>
              ))}
            </ul>
          )}
          <Combobox
            name="Value"
            value={text}
            placeholder="Add a value"
            autoFocus
            invalid={problem !== undefined}
            describedBy={problem === undefined ? undefined : id}
            suggest={async (text, signal) => {
              const options = await suggestions.values(dimension, text, signal);
              return options.filter(({ value }) => !values.includes(value));
            }}
            onInput={(text) => {
              setText(text);
              setProblem(undefined);
            }}
            onChoose={add}
          />
        </>
      )}
      {problem !== undefined && (
        <p class="fault" id={id} role="alert">
          {problem}
        </p>
      )}
      <button
        type="submit"
        class="primary"
        disabled={hasValues && values.length === 0 && text === ""}
      >
        Apply
      </button>
    </form>
  );
}
