// Whether a media query holds, for what differs by more than style.

import { useEffect, useState } from "preact/hooks";

/** Where there is room for one column only; as in the style sheets. */
export const NARROW = "(max-width: 720px)";

export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const change = () => setHolds(list.matches);
    change();
    list.addEventListener("change", change);
    return () => list.removeEventListener("change", change);
  }, [query]);
  return holds;
}
