// Goes from screen to screen by the address, and keeps the secrets of links that were opened, and the
// relays that they name.

import { Store } from "./store";
import { meetingHash, routeOf } from "./route";
import type { Route } from "./route";
import type { TabMemory } from "../session/tab";

export class Navigation {
  readonly route: Store<Route>;

  constructor(private readonly memory: TabMemory) {
    this.route = new Store<Route>({ kind: "start" });
    this.follow();
    addEventListener("hashchange", () => this.follow());
  }

  toStart(): void {
    this.go("#/");
  }

  toMeeting(meetingId: string, secret = "", relay = ""): void {
    this.go(meetingHash(meetingId, secret, relay));
  }

  /** The same place in the history: what is shown has changed, nobody has gone anywhere. */
  nowAtMeeting(meetingId: string): void {
    history.replaceState(history.state, "", meetingHash(meetingId));
    this.follow();
  }

  private go(hash: string): void {
    location.hash = hash;
    // The browser tells of it later; until then the screens would show the old place.
    this.follow();
  }

  private follow(): void {
    const route = routeOf(location.hash);
    if (route.kind === "meeting") {
      const { meetingId, secret, relay } = route;
      // A link without a relay is not for those who are near the one of an earlier link.
      if (secret !== "") this.memory.keep(meetingId, { secret, relay });
      else if (relay !== "") this.memory.keep(meetingId, { relay });
    }
    if (!sameRoute(route, this.route.get())) this.route.set(route);
  }
}

function sameRoute(a: Route, b: Route): boolean {
  if (a.kind === "start" || b.kind === "start") return a.kind === b.kind;
  return a.meetingId === b.meetingId && a.secret === b.secret && a.relay === b.relay;
}
