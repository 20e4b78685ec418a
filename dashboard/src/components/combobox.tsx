import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

/** A suggestion of a combobox. */
export interface Option {
  /** The text that choosing it enters. */
  readonly value: string;
  /** The text shown instead of the value, such as *(empty)*. */
  readonly label?: string;
  /** A remark at the end of the line, such as a count. */
  readonly detail?: string;
}

interface Props {
  /** The name of the field for screen readers; without it, a `<label>` around the combobox names it. */
  readonly name?: string;
  readonly value: string;
  readonly placeholder?: string;
  readonly autoFocus?: boolean;
  readonly invalid?: boolean;
  /** The id of an element that describes the field, such as its error. */
  readonly describedBy?: string | undefined;
  /** Returns suggestions for a text. Called when the field has the focus and whenever the text changes. */
  readonly suggest: (
    text: string,
    signal: AbortSignal,
  ) => Promise<readonly Option[]> | readonly Option[];
  readonly onInput: (value: string) => void;
  /** Called when a suggestion is chosen, or Enter is pressed without one. */
  readonly onChoose?: (value: string) => void;
}

/**
 * A text field with suggestions, after the *editable combobox with list autocomplete* of the ARIA Authoring Practices.
 * Any text can be entered. If suggestions cannot be loaded, it is a plain text field.
 */
export function Combobox(props: Props) {
  const {
    name,
    value,
    placeholder,
    autoFocus = false,
    invalid = false,
    describedBy,
    suggest,
    onInput,
    onChoose,
  } = props;
  const [options, setOptions] = useState<readonly Option[]>([]);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (autoFocus) input.current?.focus();
  }, []);
  // Not when `suggest` changes, which may be a new closure on every render.
  useEffect(() => {
    if (!open) return;
    const abort = new AbortController();
    Promise.resolve(suggest(value, abort.signal)).then(
      (options) => {
        if (abort.signal.aborted) return;
        setOptions(options);
        setActive(-1);
      },
      () => {
        if (!abort.signal.aborted) setOptions([]);
      },
    );
    return () => abort.abort();
  }, [open, value]);
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const shown = open && options.length > 0;
  // The list is fixed to the window, so that dialogs and other boxes that scroll do not clip it.
  useLayoutEffect(() => {
    if (!shown) return;
    const follow = () => {
      if (input.current && list.current) placeBeside(input.current, list.current);
    };
    follow();
    window.addEventListener("scroll", follow, true);
    window.addEventListener("resize", follow);
    return () => {
      window.removeEventListener("scroll", follow, true);
      window.removeEventListener("resize", follow);
    };
  }, [shown, options]);
  const choose = (text: string) => {
    setOpen(false);
    onInput(text);
    onChoose?.(text);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      const places = options.length + 1;
      // One place, before the first option, is the text itself.
      setActive((active) => ((active + 1 + step + places) % places) - 1);
    } else if (event.key === "Enter") {
      const option = shown ? options[active] : undefined;
      if (!option && !onChoose) return;
      event.preventDefault();
      choose(option?.value ?? value);
    } else if (event.key === "Escape" && shown) {
      event.preventDefault();
      setOpen(false);
    }
  };
  return (
    <span class="combobox">
      <input
        ref={input}
        type="text"
        role="combobox"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        aria-label={name}
        aria-autocomplete="list"
        aria-expanded={shown}
        aria-controls={`${id}-list`}
        aria-activedescendant={shown && active >= 0 ? `${id}-${active}` : undefined}
        aria-invalid={invalid}
        aria-describedby={describedBy}
        placeholder={placeholder}
        value={value}
        onInput={(event) => {
          setOpen(true);
          onInput(event.currentTarget.value);
        }}
        onFocus={() => setOpen(true)}
        onClick={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {/* The list takes no focus, so a press on it must not take the focus from the field. */}
      <div
        id={`${id}-list`}
        ref={list}
        role="listbox"
        aria-label={name ?? "Suggestions"}
        hidden={!shown}
        onMouseDown={(event) => event.preventDefault()}
      >
        {options.map(({ value, label, detail }, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the focus and handles the keys.
          <div
            key={value}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            onClick={() => choose(value)}
          >
            <bdi>{label ?? value}</bdi>
            {detail !== undefined && <small>{detail}</small>}
          </div>
        ))}
      </div>
    </span>
  );
}

const MOST_HEIGHT = 260;
const GAP = 2;
const MARGIN = 8;

/** Places a list below a field, or above it if there is more room. */
function placeBeside(field: HTMLElement, list: HTMLElement): void {
  const { left, top, bottom, width } = field.getBoundingClientRect();
  const below = window.innerHeight - bottom - GAP - MARGIN;
  const above = top - GAP - MARGIN;
  const isAbove = below < Math.min(list.scrollHeight, MOST_HEIGHT) && above > below;
  const height = Math.min(MOST_HEIGHT, isAbove ? above : below);
  Object.assign(list.style, {
    minWidth: `${width}px`,
    maxHeight: `${height}px`,
    top: isAbove ? "auto" : `${bottom + GAP}px`,
    bottom: isAbove ? `${window.innerHeight - top + GAP}px` : "auto",
  });
  const right = document.documentElement.clientWidth - MARGIN;
  list.style.left = `${Math.max(MARGIN, Math.min(left, right - list.offsetWidth))}px`;
}
