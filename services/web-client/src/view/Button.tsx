// A button: one primary per screen, the rest quiet.

import type { ComponentChildren } from "preact";

export interface ButtonProps {
  kind?: "primary" | "quiet" | "danger" | "text";
  type?: "button" | "submit";
  disabled?: boolean;
  busy?: boolean;
  icon?: ComponentChildren;
  children: ComponentChildren;
  onClick?: () => void;
  class?: string;
  /** What is read out in place of the text, which it contains. */
  label?: string;
  /** What is shown when the pointer rests on it. */
  title?: string;
  pressed?: boolean;
  expanded?: boolean;
}

export function Button(props: ButtonProps) {
  const { kind = "quiet", type = "button", busy = false } = props;
  return (
    <button
      type={type}
      class={`button ${kind} ${props.class ?? ""}`}
      disabled={props.disabled === true || busy}
      aria-busy={busy}
      aria-label={props.label}
      title={props.title}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      onClick={() => props.onClick?.()}
    >
      {props.icon}
      <span>{props.children}</span>
    </button>
  );
}
