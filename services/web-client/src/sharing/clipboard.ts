// Puts a text into the clipboard and says so for a while.

import { useEffect, useState } from "preact/hooks";

const SAID_FOR_MS = 2500;

/** `refused` where the browser does not let the page write: then the text is to be shown. */
export type Copied = "idle" | "copied" | "refused";

export function useCopy(): [Copied, (text: string) => Promise<void>] {
  const [state, setState] = useState<Copied>("idle");
  useEffect(() => {
    if (state !== "copied") return undefined;
    const timer = setTimeout(() => setState("idle"), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      setState("refused");
    }
  };
  return [state, copy];
}
