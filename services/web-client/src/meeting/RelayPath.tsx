// The way to a relay: the names of those before it and its own, "Office A › Room 3". Read out, they are
// one phrase.

import { useMessages } from "../i18n/context";
import { pathText } from "./groups";

/** `path`: from the core on, at least the relay's own name. */
export function RelayPath({ path }: { path: readonly string[] }) {
  const { group } = useMessages();
  const own = path.at(-1);
  if (path.length < 2) return <>{own}</>;
  return (
    <>
      <span aria-hidden="true">
        <span class="relays-before">{pathText(path.slice(0, -1))} › </span>
        {own}
      </span>
      <span class="visually-hidden">{group.path(path)}</span>
    </>
  );
}
