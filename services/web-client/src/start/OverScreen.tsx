// After a meeting: why it is over, and where to go.

import { useEffect, useRef } from "preact/hooks";
import { useServices } from "../app/context";
import { useMessages } from "../i18n/context";
import type { OverReason } from "../session/recovery";
import { Button } from "../view/Button";
import { Shell } from "../view/Shell";

export function OverScreen({ reason }: { reason: OverReason }) {
  const t = useMessages();
  const { session } = useServices();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const toStart = () => {
    session.back();
    location.hash = "#/";
  };
  return (
    <Shell>
      <div class="card narrow over">
        <h1 ref={heading} tabIndex={-1}>
          {t.over[reason]}
        </h1>
        <p>{t.over[`${reason}Hint`]}</p>
        <div class="actions">
          {reason !== "ended" && (
            <Button kind="primary" onClick={() => session.back()}>
              {t.over.joinAgain}
            </Button>
          )}
          <Button onClick={toStart}>{t.over.toStart}</Button>
        </div>
      </div>
    </Shell>
  );
}
