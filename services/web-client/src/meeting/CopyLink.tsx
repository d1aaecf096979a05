// Puts the meeting's link into the clipboard; where that is not possible, shows it to be copied.

import { useEffect, useState } from "preact/hooks";
import { meetingLink } from "../app/route";
import { useMessages } from "../i18n/context";
import { Button } from "../view/Button";
import { CheckIcon, LinkIcon } from "../view/icons";

const SAID_FOR_MS = 2500;

export function CopyLink({ meetingId, label }: { meetingId: string; label: string }) {
  const t = useMessages();
  const [state, setState] = useState<"idle" | "copied" | "refused">("idle");
  const link = meetingLink(location.href, meetingId);
  useEffect(() => {
    if (state !== "copied") return undefined;
    const timer = setTimeout(() => setState("idle"), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(link);
      setState("copied");
    } catch {
      setState("refused");
    }
  };
  if (state === "refused") {
    return (
      <input
        class="link-to-copy"
        readOnly
        aria-label={t.meeting.link}
        value={link}
        onFocus={(event) => event.currentTarget.select()}
      />
    );
  }
  const copied = state === "copied";
  return (
    <Button kind="quiet" icon={copied ? <CheckIcon /> : <LinkIcon />} onClick={() => void copy()}>
      {copied ? t.meeting.linkCopied : label}
    </Button>
  );
}
