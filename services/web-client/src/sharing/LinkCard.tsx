// A link that was made on this page: to copy, to send as an invitation, to show as a QR code.

import { useMessages } from "../i18n/context";
import { Button } from "../view/Button";
import { CheckIcon, DownloadIcon, LinkIcon } from "../view/icons";
import { saveFile } from "../view/download";
import { useCopy } from "./clipboard";
import { qrImage } from "./share";
import type { ShareLink } from "./share";

interface Props {
  link: ShareLink;
  meetingId: string;
}

export function LinkCard({ link, meetingId }: Props) {
  const t = useMessages().share;
  const [linkState, copyLink] = useCopy();
  const [textState, copyText] = useCopy();
  const linkCopied = linkState === "copied";
  const textCopied = textState === "copied";
  const download = () =>
    saveFile(
      new Blob([new Uint8Array(link.qrPng)], { type: "image/png" }),
      `meeting-${meetingId}.png`,
    );
  return (
    <div class="link-card">
      {link.qrSvg !== "" && (
        <img class="qr" src={qrImage(link.qrSvg)} alt={t.qrCode} width={148} height={148} />
      )}
      <div class="link-card-text">
        <input
          class="link-to-copy"
          readOnly
          aria-label={t.link}
          value={link.url}
          onFocus={(event) => event.currentTarget.select()}
        />
        <p class="hint">{t.shownOnce}</p>
        <div class="actions">
          <Button
            kind="primary"
            icon={linkCopied ? <CheckIcon /> : <LinkIcon />}
            onClick={() => void copyLink(link.url)}
          >
            {linkCopied ? t.linkCopied : t.copyLink}
          </Button>
          <Button
            icon={textCopied ? <CheckIcon /> : undefined}
            onClick={() => void copyText(link.text)}
          >
            {textCopied ? t.textCopied : t.copyText}
          </Button>
          {link.qrPng.length > 0 && (
            <Button icon={<DownloadIcon />} onClick={download}>
              {t.downloadQr}
            </Button>
          )}
        </div>
        {textState === "refused" && (
          <textarea class="invitation" readOnly aria-label={t.invitation} rows={6}>
            {link.text}
          </textarea>
        )}
      </div>
    </div>
  );
}
