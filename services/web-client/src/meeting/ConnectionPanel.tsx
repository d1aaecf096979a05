// How this page is connected: what its meetings go over, what that means for who could listen, and why
// it is not what was wished.

import type { ComponentChildren } from "preact";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import type { LinkState } from "../media/link";
import { liveStay } from "../session/places";
import { selfIn } from "../session/stay";
import { Notice } from "../view/fields";
import { RelayPath } from "./RelayPath";

export function ConnectionPanel() {
  const t = useMessages().connection;
  const { group } = useMessages();
  const { session, link } = useServices();
  const state = useStore(session.state);
  const audio = useStore(link.state);
  const { way, coreName = "", place } = state;
  const { relay, missed } = way;
  const stay = liveStay(state);
  const self = stay && selfIn(stay);
  const depth = self?.relayDepth ?? 0;
  const path = self?.relayId === relay?.id ? self?.relayPath : undefined;
  const connected = place.kind === "inside" && place.hindrance === undefined;
  const straight = coreName === "" ? t.directly : t.directlyTo(coreName);
  return (
    <div class="connection-details">
      <dl>
        <Fact name={t.meeting}>{connected ? t.connected : t.reconnecting}</Fact>
        <Fact name={t.audio}>{audioText(t, audio)}</Fact>
        <Fact name={t.through}>
          {relay === undefined ? (
            straight
          ) : (
            <RelayPath path={path?.length ? path : [relay.name || relay.id]} />
          )}
        </Fact>
        {depth > 0 && (
          <Fact name={t.level}>
            {depth} · {group.levelHint(depth)}
          </Fact>
        )}
      </dl>
      {relay !== undefined && (
        <>
          <Notice tone="info">
            {t.couldHear(relay.name || relay.id)} {depth > 1 && t.othersToo}
          </Notice>
          <p class="hint">{t.notTold}</p>
        </>
      )}
      {missed !== undefined && (
        <Notice tone="info">
          {(missed.wasCutOff ? t.leftCutOff : t.missed)(missed.name || missed.id)}
        </Notice>
      )}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function audioText(
  t: { connected: string; connectingAudio: string; reconnecting: string },
  audio: LinkState,
): string {
  if (audio === "connected") return t.connected;
  return audio === "connecting" || audio === "idle" ? t.connectingAudio : t.reconnecting;
}
