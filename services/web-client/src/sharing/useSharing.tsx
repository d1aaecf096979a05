// Sharing a meeting, and what there is to say about it: it goes on while one looks at another way to
// share, and an e-mail may take a minute.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import { failureText } from "../i18n/problem";
import type { MeetingDetails } from "../session/wire-details";
import { Notice } from "../view/fields";
import { endOf } from "./share";
import type { Lifetime, ShareForm } from "./share";

export interface Sharing {
  /** What is being shared just now, here or in another panel. */
  readonly running: ShareForm["kind"] | undefined;
  /** True if it was shared; `done` is what to say then. */
  readonly share: (form: ShareForm, done?: string) => Promise<boolean>;
  /** How the latest share went, or that it takes its time. */
  readonly notice: ComponentChildren;
}

type Told = { tone: "info" | "error"; text: string };

export function useSharing(details: MeetingDetails, lifetime: Lifetime): Sharing {
  const { t, language } = useTranslation();
  const { desk } = useServices();
  const running = useStore(desk.sharing);
  const [told, setTold] = useState<Told | undefined>(undefined);
  const share = async (form: ShareForm, done?: string): Promise<boolean> => {
    setTold(undefined);
    const ends = endOf(lifetime, Date.now());
    const answer = await desk.share(details.meeting.id, form, ends, language);
    const during = form.kind === "email" ? "email" : "other";
    if (!answer.ok) setTold({ tone: "error", text: failureText(t, during, answer.reason) });
    else if (done !== undefined) setTold({ tone: "info", text: done });
    return answer.ok;
  };
  const shown: Told | undefined =
    running === "email" ? { tone: "info", text: t.share.sendingHint } : told;
  const notice = shown === undefined ? null : <Notice tone={shown.tone}>{shown.text}</Notice>;
  return { running, share, notice };
}
