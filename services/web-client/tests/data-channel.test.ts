// The data channel as a transport, over a peer connection that does what it is told.

import { describe, expect, it, vi } from "vitest";
import { DataChannel } from "../src/session/data-channel";
import type { WireChannel, WirePeer } from "../src/session/data-channel";

class FakeWire implements WireChannel {
  binaryType: BinaryType = "blob";
  onmessage: WireChannel["onmessage"] = null;
  onclose: WireChannel["onclose"] = null;
  onerror: WireChannel["onerror"] = null;
  readonly sent: unknown[] = [];
  state: "connecting" | "open" | "closed" = "connecting";

  send(data: unknown): void {
    if (this.state !== "open") throw new DOMException("not open", "InvalidStateError");
    this.sent.push(data);
  }

  close(): void {
    this.state = "closed";
  }

  get self(): RTCDataChannel {
    return this as unknown as RTCDataChannel;
  }
}

class FakePeer implements WirePeer {
  connectionState: RTCPeerConnectionState = "new";
  onconnectionstatechange: WirePeer["onconnectionstatechange"] = null;
  localDescription: RTCSessionDescription | null = null;
  readonly wire = new FakeWire();
  readonly made: [string, RTCDataChannelInit][] = [];
  remote: RTCSessionDescriptionInit | undefined;
  closed = false;

  createDataChannel(label: string, options: RTCDataChannelInit): FakeWire {
    this.made.push([label, options]);
    return this.wire;
  }

  async createOffer(): Promise<RTCSessionDescriptionInit> {
    return { type: "offer", sdp: "without candidates" };
  }

  async setLocalDescription({ sdp = "" }: RTCSessionDescriptionInit): Promise<void> {
    this.localDescription = { type: "offer", sdp: `set: ${sdp}` } as RTCSessionDescription;
  }

  async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.remote = description;
  }

  close(): void {
    this.closed = true;
  }

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.call(this as unknown as RTCPeerConnection, new Event("x"));
  }
}

function opened() {
  const peer = new FakePeer();
  const channel = new DataChannel(peer);
  const heard: unknown[] = [];
  const onclose = vi.fn();
  channel.onmessage = (data) => heard.push(data);
  channel.onclose = onclose;
  peer.wire.state = "open";
  return { peer, channel, heard, onclose, wire: peer.wire };
}

function bytes(values: number[]): ArrayBuffer {
  return new Uint8Array(values).buffer;
}

function say(wire: FakeWire, values: number[]): void {
  wire.onmessage?.call(wire.self, { data: bytes(values) } as MessageEvent);
}

describe("data channel", () => {
  it("is one ordered channel named terminal, made before the offer", async () => {
    const peer = new FakePeer();
    const channel = new DataChannel(peer);
    expect(peer.made).toEqual([["terminal", { ordered: true }]]);
    expect(peer.wire.binaryType).toBe("arraybuffer");
    expect(await channel.offer()).toBe("set: without candidates");
    await channel.accept("theirs");
    expect(peer.remote).toEqual({ type: "answer", sdp: "theirs" });
    expect(channel.reach).toBe("relay");
  });

  it("carries messages both ways", () => {
    const { channel, wire, heard } = opened();
    const message = new Uint8Array([1, 2]);
    channel.send(message);
    expect(wire.sent).toEqual([message]);
    say(wire, [0, 7, 8]);
    expect(heard).toEqual([bytes([7, 8])]);
  });

  it("puts a long message together from its pieces", () => {
    const { channel, wire, heard, onclose } = opened();
    const onpiece = vi.fn();
    channel.onpiece = onpiece;
    say(wire, [1, 1, 2]);
    say(wire, [1, 3]);
    expect(heard).toEqual([]);
    expect(onpiece).toHaveBeenCalledTimes(2);
    say(wire, [0, 4]);
    say(wire, [0, 5]);
    expect(heard).toEqual([bytes([1, 2, 3, 4]), bytes([5])]);
    expect(onclose).not.toHaveBeenCalled();
  });

  it.each([
    ["text", "text"],
    ["an empty message", bytes([])],
    ["a piece with nothing in it", bytes([1])],
  ])("ends when the relay sends %s", (_, data) => {
    const { wire, heard, onclose } = opened();
    wire.onmessage?.call(wire.self, { data } as MessageEvent);
    expect(onclose).toHaveBeenCalledOnce();
    expect(heard).toEqual([]);
  });

  it("ends when a message never does", () => {
    const { wire, onclose } = opened();
    const data = new Uint8Array(8 * 1024 * 1024 + 1).fill(1).buffer;
    for (let piece = 0; piece < 5; piece++)
      wire.onmessage?.call(wire.self, { data } as MessageEvent);
    expect(onclose).toHaveBeenCalledOnce();
  });

  it.each([
    ["the channel is closed", ({ wire }) => wire.onclose?.call(wire.self, new Event("close"))],
    ["the path is lost", ({ peer }) => peer.become("failed")],
    [
      "it takes nothing any more",
      ({ channel, wire }) => ((wire.state = "closed"), channel.send(new Uint8Array(1))),
    ],
  ] satisfies [string, (made: ReturnType<typeof opened>) => unknown][])(
    "ends once when %s, and lets everything go",
    (_, happen) => {
      const made = opened();
      const { peer, wire, onclose } = made;
      const { onmessage } = wire;
      happen(made);
      peer.become("closed");
      expect(onclose).toHaveBeenCalledOnce();
      expect(peer.closed).toBe(true);
      onmessage?.call(wire.self, { data: bytes([0, 1]) } as MessageEvent);
      expect(made.heard).toEqual([]);
    },
  );

  it("goes on when the path is only interrupted", () => {
    const { peer, onclose } = opened();
    peer.become("disconnected");
    peer.become("connected");
    expect(onclose).not.toHaveBeenCalled();
    expect(peer.closed).toBe(false);
  });

  it("says nothing when this side closes it", () => {
    const { peer, channel, onclose, wire } = opened();
    channel.close();
    peer.become("closed");
    channel.send(new Uint8Array(1));
    expect(onclose).not.toHaveBeenCalled();
    expect(wire.state).toBe("closed");
    expect(peer.closed).toBe(true);
    expect(wire.sent).toEqual([]);
  });
});
