// Shows how loud the microphone is, muted or not. Drawn by frame, past the view library.

import { useEffect, useRef } from "preact/hooks";
import { useServices } from "../app/context";
import { useMessages } from "../i18n/context";

/** The number for screen readers changes this often, in ms. */
const READ_EVERY_MS = 500;

export function LevelMeter() {
  const t = useMessages();
  const { microphone } = useServices();
  const meter = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let shown = 0;
    let readAt = 0;
    let frame = requestAnimationFrame(function draw(now) {
      const level = microphone.level();
      // Up at once, down slowly, as meters do.
      shown = Math.max(level, shown - 0.03);
      meter.current?.style.setProperty("--level", shown.toFixed(3));
      if (now - readAt > READ_EVERY_MS) {
        readAt = now;
        meter.current?.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
      }
      frame = requestAnimationFrame(draw);
    });
    return () => cancelAnimationFrame(frame);
  }, [microphone]);
  return (
    <div
      ref={meter}
      class="meter"
      role="meter"
      aria-label={t.microphone.level}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
    >
      <div class="meter-bar" />
    </div>
  );
}
