// Shares a meeting with people who are not members, by link, with colleagues or by e-mail, and takes
// shares back.

import { useCallback, useEffect, useId, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages, useTranslation } from "../i18n/context";
import { failureText } from "../i18n/problem";
import type { MeetingDetails } from "../session/wire-details";
import { Notice, SelectField } from "../view/fields";
import { ByEmail, ByLink, ToUsers } from "./forms";
import { useSharing } from "./useSharing";
import { LIFETIMES, isLifetime } from "./share";
import type { Lifetime, Share } from "./share";
import { ShareList } from "./ShareList";

const WAYS = ["byLink", "toUsers", "byEmail"] as const;
export type Way = (typeof WAYS)[number];

export function SharePanel({ details }: { details: MeetingDetails }) {
  const { t } = useTranslation();
  const meetingId = details.meeting.id;
  const [way, setWay] = useState<Way>("byLink");
  const [lifetime, setLifetime] = useState<Lifetime>("never");
  const { desk } = useServices();
  const { shares, problem, revoke } = useShares(meetingId);
  const sharing = useSharing(details, lifetime);
  const ends = (
    <SelectField
      label={t.share.endsTitle}
      value={lifetime}
      options={LIFETIMES.map((value) => ({ value, label: t.share.lifetimes[value] }))}
      onChange={(value) => isLifetime(value) && setLifetime(value)}
    />
  );
  const form = { details, ends, sharing };
  return (
    <>
      <p class="hint">{t.share.hint}</p>
      {desk.lacksLink(meetingId) && <Notice tone="warning">{t.share.noLinkYet}</Notice>}
      <Ways way={way} onChange={setWay} />
      {way === "byLink" && <ByLink {...form} />}
      {way === "toUsers" && <ToUsers {...form} />}
      {way === "byEmail" && <ByEmail {...form} />}
      {problem !== undefined && <Notice tone="error">{problem}</Notice>}
      {shares !== undefined && <ShareList shares={shares} onRevoke={revoke} />}
    </>
  );
}

function Ways({ way, onChange }: { way: Way; onChange: (way: Way) => void }) {
  const t = useMessages().share;
  const name = useId();
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">{t.ways}</legend>
      {WAYS.map((value) => (
        <label key={value} class="segment">
          <input
            type="radio"
            name={name}
            value={value}
            checked={way === value}
            onChange={() => onChange(value)}
          />
          <span>{t[value]}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** The shares of a meeting, read now, when a share begins or ends to be made, and when one was taken back. */
function useShares(meetingId: string) {
  const t = useMessages();
  const { desk } = useServices();
  const [shares, setShares] = useState<readonly Share[] | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const reload = useCallback(async () => {
    const answer = await desk.shares(meetingId);
    if (answer.ok) setShares(answer.value);
    setProblem(answer.ok ? undefined : failureText(t, "other", answer.reason));
  }, [desk, meetingId, t]);
  const sharing = useStore(desk.sharing);
  useEffect(() => void reload(), [reload, sharing]);
  const revoke = async (share: Share): Promise<boolean> => {
    const answer = await desk.revoke(meetingId, share.id);
    if (answer.ok) await reload();
    else setProblem(failureText(t, "other", answer.reason));
    return answer.ok;
  };
  return { shares, problem, revoke };
}
