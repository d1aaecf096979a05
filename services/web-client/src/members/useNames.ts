// The name for a user id, as far as this page has seen it.

import { useServices } from "../app/context";
import { useStore } from "../app/store";

/** Names what is known; somebody never seen is shown by the id. */
export function useNames(): (userId: string) => string {
  const { names } = useServices();
  const known = useStore(names.names);
  return (userId) => known.get(userId) ?? userId;
}
