// The name for a user id, found out if this page has not seen it.

import { useEffect } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";

/** Names what is known, and finds out who is in `shown`; somebody unknown is shown by the id. */
export function useNames(shown: readonly string[]): (userId: string) => string {
  const { names, finder } = useServices();
  const known = useStore(names.names);
  useEffect(() => finder.want(shown));
  return (userId) => known.get(userId) ?? userId;
}
