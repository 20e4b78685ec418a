import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";

interface Props {
  readonly children: ComponentChildren;
  /** The text that appears on hover and on focus. */
  readonly detail: string;
  readonly class?: string;
}

const GAP = 6;

/** A text with a detail that appears on hover and on focus. */
export function Detailed({ children, detail, class: className = "" }: Props) {
  const id = useId();
  const tooltip = useRef<HTMLSpanElement>(null);
  // Placed in the window, because cells and tables hide what is outside of them.
  const place = (event: { readonly currentTarget: HTMLElement }) => {
    const shown = tooltip.current;
    if (!shown) return;
    const { left, top, bottom } = event.currentTarget.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = shown;
    const room = document.documentElement.clientWidth - width - GAP;
    const isBelow = bottom + GAP + height <= window.innerHeight;
    shown.style.left = `${Math.max(GAP, Math.min(left, room))}px`;
    shown.style.top = `${isBelow ? bottom + GAP : top - height - GAP}px`;
  };
  return (
    <span class={`detailed ${className}`} onPointerEnter={place} onFocusIn={place}>
      <button type="button" class="link" aria-describedby={id}>
        {children}
      </button>
      <span role="tooltip" id={id} ref={tooltip}>
        {detail}
      </span>
    </span>
  );
}
