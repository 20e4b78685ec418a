import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

interface Props {
  /** The content of the button. */
  readonly label: ComponentChildren;
  /** The name of the button and of the panel for screen readers, if the content does not say it. */
  readonly name?: string;
  readonly class?: string;
  /** The content of the panel; `close` closes it and returns the focus to the button. */
  readonly children: (close: () => void) => ComponentChildren;
}

/** A button that opens a panel below itself. Escape, a click elsewhere and the loss of the focus close it. */
export function Popover({ label, name, class: className = "", children }: Props) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    root.current
      ?.querySelector<HTMLElement>(".panel :is(input, button, select, a, [tabindex='0'])")
      ?.focus();
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    const onEscape = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      close();
    };
    document.addEventListener("keydown", onEscape);
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("keydown", onEscape);
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  return (
    <div class={`popover ${className}`} ref={root}>
      <button
        type="button"
        ref={button}
        id={id}
        aria-expanded={open}
        aria-haspopup="dialog"
        aria-label={name}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && (
        <div class="panel" role="dialog" aria-labelledby={id}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
