// Where what the microphone hears goes: to the floor, to private talk, or nowhere. The microphone is
// closed first and opened last, and no two ways have it at a time: nothing is heard on the wrong one.

import type { Outlet } from "../talk/talk";

/** The part of an RTCRtpSender that is used. */
export type Sender = Pick<RTCRtpSender, "replaceTrack">;

export interface Ways {
  readonly floor: Sender;
  readonly private: Sender;
}

export class Mouth {
  private outlet: Outlet = "floor";
  private track: MediaStreamTrack | undefined;
  private ways: Ways | undefined;
  private turn: Promise<void> = Promise.resolve();

  /** `open` lets the microphone be heard there, as far as it is not muted; it acts at once. */
  constructor(private readonly open: (outlet: Outlet) => void) {}

  /** Resolves when it is so. */
  speak(outlet: Outlet): Promise<void> {
    this.outlet = outlet;
    this.open("nowhere");
    return this.settle();
  }

  /** Another microphone, or none. */
  use(track: MediaStreamTrack | undefined): Promise<void> {
    this.track = track;
    return this.settle();
  }

  /** Another peer connection, or none. */
  through(ways: Ways | undefined): Promise<void> {
    this.ways = ways;
    return this.settle();
  }

  private settle(): Promise<void> {
    // A sender that is closed takes nothing and sends nothing; its successor is told again.
    this.turn = this.turn.then(() => this.apply()).catch(() => {});
    return this.turn;
  }

  private async apply(): Promise<void> {
    const { outlet, track, ways } = this;
    if (ways !== undefined) {
      if (outlet !== "floor") await ways.floor.replaceTrack(null);
      if (outlet !== "private") await ways.private.replaceTrack(null);
      if (this.outlet !== outlet || this.ways !== ways || this.track !== track) return;
      if (outlet !== "nowhere") await ways[outlet].replaceTrack(track ?? null);
    }
    if (this.outlet === outlet) this.open(outlet);
  }
}
