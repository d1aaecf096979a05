// Form fields, each with a label that is read out and a hint or an error tied to it.

import type { ComponentChildren, InputHTMLAttributes, RefObject, TargetedEvent } from "preact";
import { useId } from "preact/hooks";

interface TextFieldProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "password" | "datetime-local";
  /** Bounds of a time, as the field holds it. */
  min?: string;
  max?: string;
  name?: string;
  autoComplete?: string;
  placeholder?: string;
  maxLength?: number;
  required?: boolean;
  hint?: string | undefined;
  error?: string | undefined;
  inputRef?: RefObject<HTMLInputElement | null>;
}

export function TextField(props: TextFieldProps) {
  const id = useId();
  const note = props.error ?? props.hint;
  const attributes = {
    id,
    ref: props.inputRef ?? null,
    name: props.name,
    autocomplete: props.autoComplete ?? "off",
    placeholder: props.placeholder,
    maxLength: props.maxLength,
    required: props.required,
    min: props.min,
    max: props.max,
    value: props.value,
    spellcheck: false,
    "aria-invalid": props.error !== undefined,
    "aria-describedby": note === undefined ? undefined : `${id}-note`,
    onInput: (event: TargetedEvent<HTMLInputElement>) => props.onInput(event.currentTarget.value),
  };
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {inputOf(props.type ?? "text", attributes)}
      {note !== undefined && (
        <p id={`${id}-note`} class={props.error === undefined ? "hint" : "hint error"}>
          {note}
        </p>
      )}
    </div>
  );
}

/** Which attributes an input takes depends on its type. */
function inputOf(
  type: NonNullable<TextFieldProps["type"]>,
  attributes: InputHTMLAttributes<HTMLInputElement>,
) {
  switch (type) {
    case "text":
      return <input {...(attributes as object)} type="text" />;
    case "password":
      return <input {...(attributes as object)} type="password" />;
    case "datetime-local":
      return <input {...(attributes as object)} type="datetime-local" />;
  }
}

interface SelectFieldProps {
  label: string;
  value: string;
  options: readonly { value: string; label: string }[];
  onChange: (value: string) => void;
  disabled?: boolean;
}

export function SelectField(props: SelectFieldProps) {
  const id = useId();
  const known = props.options.some((option) => option.value === props.value);
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        value={known ? props.value : props.options[0]?.value}
        disabled={props.disabled ?? false}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        {props.options.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}

interface CheckboxProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  hint?: string | undefined;
  disabled?: boolean;
}

export function Checkbox(props: CheckboxProps) {
  const id = useId();
  return (
    <div class="checkbox">
      <input
        id={id}
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled ?? false}
        aria-describedby={props.hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <div>
        <label for={id}>{props.label}</label>
        {props.hint !== undefined && (
          <p id={`${id}-hint`} class="hint">
            {props.hint}
          </p>
        )}
      </div>
    </div>
  );
}

/** A line in the flow of the page, instead of a dialog. */
export function Notice(props: {
  tone: "info" | "warning" | "error";
  children: ComponentChildren;
  action?: ComponentChildren;
  /** Something else says it to screen readers. */
  said?: boolean;
}) {
  return (
    <div
      class={`notice ${props.tone}`}
      role={props.tone === "error" ? "alert" : "status"}
      aria-live={props.said ? "off" : undefined}
    >
      <div class="notice-text">{props.children}</div>
      {props.action}
    </div>
  );
}
