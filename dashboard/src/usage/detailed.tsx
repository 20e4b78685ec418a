import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Props {
  readonly children: ComponentChildren;
  /** The text that appears on hover and on focus. */
  readonly detail: string;
  readonly class?: string;
}

/** A text with a detail that appears on hover and on focus. */
export function Detailed({ children, detail, class: className = "" }: Props) {
  const id = useId();
  return (
    <span class={`detailed ${className}`}>
      <button type="button" class="link" aria-describedby={id}>
        {children}
      </button>
      <span role="tooltip" id={id}>
        {detail}
      </span>
    </span>
  );
}
