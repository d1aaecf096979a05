// Puts the meeting's link into the clipboard, with the secret that this person came with; where the
// clipboard can't be written, shows the link to be copied.

import { useServices } from "../app/context";
import { meetingLink } from "../app/route";
import { useMessages } from "../i18n/context";
import { useCopy } from "../sharing/clipboard";
import { Button } from "../view/Button";
import { CheckIcon, LinkIcon } from "../view/icons";

export function CopyLink({ meetingId, label }: { meetingId: string; label: string }) {
  const t = useMessages();
  const { memory } = useServices();
  const [state, copy] = useCopy();
  const link = meetingLink(location.href, meetingId, memory.secretOf(meetingId));
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
    <Button
      kind="quiet"
      icon={copied ? <CheckIcon /> : <LinkIcon />}
      onClick={() => void copy(link)}
    >
      {copied ? t.meeting.linkCopied : label}
    </Button>
  );
}
