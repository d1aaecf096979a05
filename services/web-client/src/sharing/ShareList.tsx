// The shares of a meeting, newest first, each with its state and a way to take it back.

import { useState } from "preact/hooks";
import { timeText } from "../app/time";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { useNames } from "../members/useNames";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";
import { stateOf } from "./share";
import type { Share, ShareForm } from "./share";

/** More names or addresses than these are told as a number. */
const NAMED_MAX = 3;

interface Props {
  shares: readonly Share[];
  onRevoke: (share: Share) => Promise<boolean>;
}

export function ShareList({ shares, onRevoke }: Props) {
  const { t } = useTranslation();
  const [revoking, setRevoking] = useState<string | undefined>(undefined);
  const [revoked, setRevoked] = useState(false);
  const revoke = async (share: Share) => {
    setRevoking(share.id);
    setRevoked(false);
    setRevoked(await onRevoke(share));
    setRevoking(undefined);
  };
  return (
    <section class="sub" aria-label={t.share.list}>
      <h3>{t.share.list}</h3>
      {revoked && <Notice tone="info">{t.share.revokedNow}</Notice>}
      {shares.length === 0 ? (
        <p class="empty">{t.share.none}</p>
      ) : (
        <ul class="rows" aria-label={t.share.list}>
          {shares.map((share) => (
            <ShareRow
              key={share.id}
              share={share}
              busy={revoking === share.id}
              onRevoke={() => void revoke(share)}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function ShareRow(props: { share: Share; busy: boolean; onRevoke: () => void }) {
  const { t, language } = useTranslation();
  const { share } = props;
  const nameOf = useNames(share.form.kind === "users" ? fewOf(share.form.userIds) : []);
  const now = Date.now();
  const state = stateOf(share, now);
  const what = formText(t, language, share.form, nameOf);
  return (
    <li class={`row ${state === "holds" ? "" : "faded"}`}>
      <span class="row-text">
        <span class="row-name">{what}</span>
        <span class="hint">{timesText(t, language, share, now)}</span>
      </span>
      {state === "holds" && (
        <span class="row-actions">
          <Button
            kind="text"
            busy={props.busy}
            label={t.share.revokeNamed(what)}
            onClick={props.onRevoke}
          >
            {t.share.revoke}
          </Button>
        </span>
      )}
    </li>
  );
}

function timesText(t: Messages, language: string, share: Share, now: number): string {
  const said = (ms: number) => timeText(ms, now, language);
  const made = t.share.made(said(share.createdAtMs));
  switch (stateOf(share, now)) {
    case "revoked":
      return t.share.revoked;
    case "expired":
      return t.share.expired;
    case "holds":
      return share.expiresAtMs === undefined
        ? made
        : [made, t.share.until(said(share.expiresAtMs))].join(" · ");
  }
}

/** Those of a long list that are shown one by one. */
function fewOf(all: readonly string[]): readonly string[] {
  return all.length > NAMED_MAX ? all.slice(0, NAMED_MAX - 1) : all;
}

function formText(
  t: Messages,
  language: string,
  form: ShareForm,
  nameOf: (userId: string) => string,
): string {
  const listed = (all: readonly string[], shownAs = (one: string) => one) => {
    const few = fewOf(all);
    const rest = all.length - few.length;
    const shown = [...few.map(shownAs), ...(rest > 0 ? [t.share.andMore(rest)] : [])];
    return new Intl.ListFormat(language).format(shown);
  };
  switch (form.kind) {
    case "link":
      return t.share.formLink;
    case "users":
      return t.share.formUsers(listed(form.userIds, nameOf));
    case "email":
      return t.share.formEmail(listed(form.addresses));
  }
}
