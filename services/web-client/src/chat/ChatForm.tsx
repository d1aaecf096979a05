// Where a message is typed, and who gets it. Enter sends, Shift+Enter starts a new line; an Enter that
// ends a composition does neither.

import { useEffect, useId, useRef } from "preact/hooks";
import { useTranslation } from "../i18n/context";
import { CHAT_MAX, TARGETS_MAX } from "../operations/act";
import type { Stay } from "../session/stay";
import { Button } from "../view/Button";
import { Menu } from "../view/Menu";
import type { MenuItem } from "../view/Menu";
import { ChevronIcon, CloseIcon, SendIcon } from "../view/icons";
import type { Draft } from "./drafts";
import { useNamesOf } from "./Message";

interface Props {
  stay: Stay;
  draft: Draft;
  onDraft: (draft: Draft) => void;
  mayWrite: boolean;
  /** Counts how often somebody was chosen to be written to: then the field is wanted. */
  wanted: number;
  /** False if nothing could be done. */
  onSend: (text: string, to: readonly number[]) => boolean;
}

/** The codes of keys that belong to an input method. */
const COMPOSING = 229;

export function ChatForm(props: Props) {
  const { stay, draft, onDraft, mayWrite, onSend } = props;
  const { t } = useTranslation();
  const field = useRef<HTMLTextAreaElement>(null);
  const noteId = useId();
  const names = useNamesOf(stay, draft.to);
  const over = [...draft.text].length - CHAT_MAX;
  const ready = mayWrite && draft.text.trim() !== "" && over <= 0;
  const { wanted } = props;
  useEffect(() => {
    // Whoever opens the chat means to type; a phone's keyboard waits until the field is touched.
    if (wanted > 0 || matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, [wanted]);
  const send = () => {
    if (ready && onSend(draft.text.trim(), draft.to)) onDraft({ ...draft, text: "" });
    field.current?.focus();
  };
  const press = (event: KeyboardEvent) => {
    const composing = event.isComposing || event.keyCode === COMPOSING;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    send();
  };
  const isPrivate = draft.to.length > 0;
  return (
    <form
      class="chat-form"
      aria-label={t.chat.title}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Recipients stay={stay} to={draft.to} onChange={(to) => onDraft({ ...draft, to })} />
      <div class={isPrivate ? "chat-entry private" : "chat-entry"}>
        <textarea
          ref={field}
          rows={1}
          aria-label={t.chat.input}
          aria-describedby={noteId}
          aria-invalid={over > 0}
          placeholder={isPrivate ? t.chat.placeholderTo(names) : t.chat.placeholder}
          value={draft.text}
          enterkeyhint="send"
          onInput={(event) => onDraft({ ...draft, text: event.currentTarget.value })}
          onKeyDown={press}
        />
        <Button kind="primary" type="submit" label={t.chat.send} disabled={!ready}>
          <SendIcon />
        </Button>
      </div>
      <p id={noteId} class={over > 0 ? "hint error" : "visually-hidden"}>
        {over > 0 ? t.chat.tooLong(over) : t.chat.keys}
      </p>
    </form>
  );
}

function Recipients(props: {
  stay: Stay;
  to: readonly number[];
  onChange: (to: readonly number[]) => void;
}) {
  const { t } = useTranslation();
  const { stay, to, onChange } = props;
  const { participants } = stay.roster;
  const others = [...participants.values()].filter(({ id }) => id !== stay.selfId);
  const toggle = (id: number) => {
    if (to.includes(id)) onChange(to.filter((other) => other !== id));
    else if (to.length < TARGETS_MAX) onChange([...to, id]);
  };
  const everybody: MenuItem = {
    key: "everybody",
    label: t.chat.everybody,
    checked: to.length === 0,
    onChoose: () => onChange([]),
  };
  const items: MenuItem[] = [
    everybody,
    ...others.map(({ id, displayName }) => ({
      key: `${id}`,
      label: displayName,
      checked: to.includes(id),
      onChoose: () => toggle(id),
    })),
  ];
  const nameOf = (id: number) => participants.get(id)?.displayName ?? t.control.unknownName;
  return (
    <div class="chat-to">
      <span aria-hidden="true">{t.chat.to}</span>
      {to.map((id) => (
        <span key={id} class="chip">
          <span class="chip-name">{nameOf(id)}</span>
          <button
            type="button"
            class="chip-remove"
            aria-label={t.chat.removeTo(nameOf(id))}
            onClick={() => toggle(id)}
          >
            <CloseIcon />
          </button>
        </span>
      ))}
      <Menu
        class="to-button"
        label={to.length === 0 ? t.chat.toEverybody : t.chat.choose}
        items={items}
      >
        {to.length === 0 ? t.chat.everybody : t.chat.choose}
        <ChevronIcon />
      </Menu>
    </div>
  );
}
