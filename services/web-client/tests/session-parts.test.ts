import { describe, expect, it, vi } from "vitest";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { backoffMs, pause } from "../src/session/backoff";
import {
  clockOffsetOf,
  parseIdentity,
  refreshDueMs,
  refreshOnReturn,
} from "../src/session/identity";
import { TerminalKey, joinChallenge, refreshChallenge } from "../src/session/key";
import { afterFailure } from "../src/session/recovery";
import { ConnectionLost, Refused, refusalReason } from "../src/session/refusal";
import { initialState, liveStay, reduce } from "../src/session/state";
import type { SessionState } from "../src/session/state";
import type { MeetingDetails } from "../src/session/wire-details";
import { after, event, meeting, participant, snapshotWith, stayWith } from "./meetings";

describe("backoff", () => {
  it("begins at 0.3 s, grows, and never exceeds 3 s", () => {
    expect(backoffMs(0, 0)).toBe(300);
    for (let attempt = 0; attempt < 100; attempt++) {
      for (const random of [0, 0.5, 0.999]) {
        expect(backoffMs(attempt, random)).toBeGreaterThanOrEqual(300);
        expect(backoffMs(attempt, random)).toBeLessThanOrEqual(3000);
      }
    }
    expect(backoffMs(9, 0.999)).toBeGreaterThan(2900);
  });

  it("ends at once when it is called off", async () => {
    vi.useFakeTimers();
    const off = new AbortController();
    const waiting = pause(60_000, off.signal);
    off.abort();
    await waiting;
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
});

describe("terminal key", () => {
  it("proves itself by a signature that its public key verifies", async () => {
    const key = await TerminalKey.generate();
    const nonce = crypto.getRandomValues(new Uint8Array(32));
    const proof = await key.prove(nonce, "credential");
    expect(key.publicKey).toHaveLength(65);
    expect(key.publicKey[0]).toBe(4);
    expect(proof).toHaveLength(64);
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const publicKey = await crypto.subtle.importKey("raw", key.publicKey, algorithm, false, [
      "verify",
    ]);
    const verify = async (challenge: Promise<Uint8Array<ArrayBuffer>>) =>
      crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, publicKey, proof, await challenge);
    expect(await verify(joinChallenge(nonce, "credential"))).toBe(true);
    expect(await verify(joinChallenge(nonce, "another"))).toBe(false);
    expect(await verify(joinChallenge(new Uint8Array(32), "credential"))).toBe(false);
  });

  it("signs label, zero, nonce and the credential's hash, in this order", async () => {
    const nonce = new Uint8Array(32).fill(7);
    const bytes = await joinChallenge(nonce, "abc");
    const sha256OfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const hex = (part: Uint8Array) =>
      [...part].map((b) => b.toString(16).padStart(2, "0")).join("");
    expect(new TextDecoder().decode(bytes.subarray(0, 18))).toBe("tributary-join-v1\0");
    expect(bytes.subarray(18, 50)).toEqual(nonce);
    expect(hex(bytes.subarray(50))).toBe(sha256OfAbc);
  });

  it("asks for a refresh over label, zero, seconds big-endian and the token's hash", async () => {
    const bytes = await refreshChallenge(0x0102030405060708n, "abc");
    expect(new TextDecoder().decode(bytes.subarray(0, 21))).toBe("tributary-refresh-v1\0");
    expect([...bytes.subarray(21, 29)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(bytes.subarray(29)).toHaveLength(32);
    const key = await TerminalKey.generate();
    expect(key.kept.privateKey.extractable).toBe(false);
    expect(await key.proveRefresh(1n, "abc")).toHaveLength(64);
  });
});

describe("refusal", () => {
  it("has a reason for every code, and one for codes to come", () => {
    const codes = Object.values(RefusalCode).filter((code) => typeof code === "number");
    expect(new Set(codes.map(refusalReason)).size).toBe(codes.length);
    expect(refusalReason(4711 as RefusalCode)).toBe("unspecified");
  });
});

describe("recovery", () => {
  const inside = { inside: true, heldCredential: true };
  const joining = { inside: false, heldCredential: false };
  const after = (reason: Refused["reason"], situation: typeof inside) =>
    afterFailure(new Refused(reason, ""), situation);

  it("retries whatever is lost, and says so when the relay drains", () => {
    expect(afterFailure(new ConnectionLost("silent"), inside)).toEqual({
      kind: "retry",
      hindrance: "lost",
    });
    expect(afterFailure(new ConnectionLost("draining"), joining)).toEqual({
      kind: "retry",
      hindrance: "draining",
    });
    expect(afterFailure(new Error("unforeseen"), inside).kind).toBe("retry");
  });

  it("ends where there is no way back", () => {
    expect(after("replaced", inside)).toEqual({ kind: "over", reason: "replaced" });
    expect(after("meetingEnded", joining)).toEqual({ kind: "over", reason: "ended" });
    expect(after("notAdmitted", inside)).toEqual({ kind: "over", reason: "removed" });
    expect(after("removed", inside)).toEqual({ kind: "over", reason: "removed" });
    expect(after("sentAway", inside)).toEqual({ kind: "over", reason: "sentAway" });
  });

  it("tells a form what was refused", () => {
    expect(after("notAdmitted", joining)).toEqual({ kind: "giveUp", reason: "notAdmitted" });
    expect(after("limit", joining)).toEqual({ kind: "giveUp", reason: "limit" });
    for (const reason of ["meetingLocked", "removed", "sentAway"] as const) {
      expect(after(reason, joining)).toEqual({ kind: "giveUp", reason });
    }
    expect(after("badCredential", joining)).toEqual({ kind: "giveUp", reason: "badCredential" });
  });

  it("renews a credential that has expired or is not accepted any more", () => {
    expect(after("credentialExpired", inside).kind).toBe("renew");
    expect(after("badCredential", inside).kind).toBe("renew");
  });

  it("gives up a lobby that was locked", () => {
    const refused = new Refused("meetingLocked", "");
    const step = afterFailure(refused, { ...inside, waiting: true });
    expect(step).toEqual({ kind: "giveUp", reason: "meetingLocked" });
  });

  it("never gives up a meeting for a refusal that may pass", () => {
    const passing = ["tryAgain", "limit", "outOfOrder", "unspecified", "meetingLocked"] as const;
    for (const reason of passing) {
      expect(after(reason, inside).kind).toBe("retry");
    }
    expect(after("tryAgain", joining).kind).toBe("retry");
  });
});

describe("identity", () => {
  const identity = {
    token: "t",
    userId: "u",
    displayName: "Ada",
    guest: true,
    obtainedAtMs: 0,
    expiresAtMs: 2000,
    clockOffsetMs: 7,
  };

  it("is kept until it expires", () => {
    expect(parseIdentity(JSON.stringify(identity), 1000)).toEqual(identity);
    expect(parseIdentity(JSON.stringify(identity), 2000)).toBeUndefined();
  });

  it("without an end does not expire", () => {
    const endless = { ...identity, expiresAtMs: Number.POSITIVE_INFINITY };
    expect(parseIdentity(JSON.stringify(endless), 1e15)).toEqual(endless);
  });

  it.each([null, "", "null", "7", "{}", '{"token":1}'])("is not made of %s", (text) => {
    expect(parseIdentity(text, 0)).toBeUndefined();
  });
});

describe("refresh", () => {
  const hour = 3600 * 1000;
  const minute = 60 * 1000;
  const identity = {
    token: "t",
    userId: "u",
    displayName: "Ada",
    guest: false,
    obtainedAtMs: 1000,
    expiresAtMs: 1000 + hour,
    clockOffsetMs: 0,
  };

  it("is due when three quarters of the life are over", () => {
    expect(refreshDueMs(identity)).toBe(1000 + 45 * minute);
    const endless = { ...identity, expiresAtMs: Number.POSITIVE_INFINITY };
    expect(refreshDueMs(endless)).toBe(Number.POSITIVE_INFINITY);
  });

  it("comes with a return, unless the identity is fresh", () => {
    expect(refreshOnReturn(identity, 1000 + minute)).toBe(false);
    expect(refreshOnReturn(identity, 1000 + 6 * minute)).toBe(true);
    const short = { ...identity, expiresAtMs: 1000 + minute };
    expect(refreshOnReturn(short, 1000 + 46_000)).toBe(true);
  });

  it("goes by the server's clock, as far as a token tells it", () => {
    const token = (claims: object) => `h.${btoa(JSON.stringify(claims))}.s`;
    expect(clockOffsetOf(token({ iat: 5000 }), 4_990_000)).toBe(10_000);
    expect(clockOffsetOf(token({}), 1)).toBe(0);
    for (const odd of ["", "a", "a.b.c", "a..c"]) expect(clockOffsetOf(odd, 1)).toBe(0);
  });
});

describe("session state", () => {
  const start = initialState(undefined);
  const enter = { kind: "joining", meetingId: "42", held: false } as const;
  const joining = reduce(start, enter);
  const join = {
    kind: "joined",
    meeting,
    selfId: 3,
    snapshot: snapshotWith(10n, participant(3)),
    waiting: false,
    pending: [],
  } as const;
  const inside: SessionState = reduce(joining, join);

  it("goes back to the form when joining fails", () => {
    const problem = { during: "join", reason: "notAdmitted" } as const;
    const failed = reduce(joining, { kind: "failed", problem });
    expect(failed.place).toEqual({ kind: "outside" });
    expect(failed.problem).toEqual(problem);
    expect(reduce(failed, enter).problem).toBeUndefined();
  });

  it("stays in the meeting when something else fails", () => {
    const problem = { during: "switch", reason: "forbidden" } as const;
    expect(reduce(inside, { kind: "failed", problem }).place).toBe(inside.place);
  });

  it("keeps the roster but no speakers while the connection is lost", () => {
    const action = { kind: "speakers", ids: [1] } as const;
    const speaking = reduce(inside, { kind: "stay", meetingId: "42", action });
    const lost = reduce(speaking, { kind: "hindered", meetingId: "42", hindrance: "lost" });
    expect(lost.place).toMatchObject({ kind: "inside", hindrance: "lost" });
    expect(liveStay(lost)?.roster.participants).toBe(liveStay(speaking)?.roster.participants);
    expect(liveStay(speaking)?.roster.speakers).toEqual([1]);
    expect(liveStay(lost)?.roster.speakers).toEqual([]);
    const back = reduce(lost, { ...join, snapshot: undefined });
    expect(back.place).toMatchObject({ kind: "inside", hindrance: undefined });
    expect(liveStay(back)?.roster.participants.size).toBe(1);
  });

  it("knows who is in although a guest had to come back as another participant", () => {
    const back = reduce(inside, { ...join, selfId: 4, snapshot: undefined });
    const joined = { kind: "joined", participant: participant(4) } as const;
    const told = reduce(back, { kind: "event", meetingId: "42", event: event(11n, joined) });
    expect(liveStay(told)?.selfId).toBe(4);
    expect([...(liveStay(told)?.roster.participants.keys() ?? [])]).toEqual([3, 4]);
  });

  it("takes each event once", () => {
    const chat = { kind: "chat", fromId: 3, fromName: "x", text: "y", toIds: [] } as const;
    const told = after(stayWith(), event(11n, chat));
    expect(told.chat.entries).toHaveLength(1);
    expect(after(told, event(11n, chat), event(9n, { kind: "ended" }))).toBe(told);
  });

  it("goes back to the form when nobody lets in any more", () => {
    const waiting = reduce(joining, { ...join, snapshot: undefined, waiting: true });
    expect(waiting.place.kind).toBe("waiting");
    const problem = { during: "join", reason: "meetingLocked" } as const;
    expect(reduce(waiting, { kind: "failed", problem }).place).toEqual({ kind: "outside" });
  });

  it("shows the subject that a meeting was given", () => {
    const change = { kind: "renamed", subject: "Other plans" } as const;
    const renamed = { kind: "event", meetingId: "42", event: event(11n, change) } as const;
    expect(liveStay(reduce(inside, renamed))?.meeting.subject).toBe("Other plans");
    expect(reduce(start, renamed).place).toEqual({ kind: "outside" });
  });

  it("keeps what was read until it is known to be no longer allowed", () => {
    const details: MeetingDetails = {
      meeting,
      role: "member",
      members: [],
      attachments: [],
      participants: [],
    };
    let state = reduce(start, { kind: "reading", meetingId: "42" });
    expect(state.reading).toMatchObject({ status: "reading", details: undefined });
    state = reduce(state, { kind: "read", details });
    state = reduce(state, { kind: "reading", meetingId: "42" });
    expect(state.reading?.details).toBe(details);
    const refused = (reason: "unreachable" | "notAdmitted") =>
      reduce(state, { kind: "readRefused", meetingId: "42", reason }).reading;
    expect(refused("unreachable")?.details).toBe(details);
    expect(refused("notAdmitted")?.details).toBeUndefined();
    const other = reduce(state, { kind: "reading", meetingId: "43" });
    expect(other.reading?.details).toBeUndefined();
    expect(reduce(other, { kind: "read", details }).reading).toBe(other.reading);
  });

  it("forgets what somebody else has read and was told", () => {
    const identity = {
      token: "t",
      userId: "v",
      displayName: "Eve",
      guest: false,
      obtainedAtMs: 0,
      expiresAtMs: 1,
      clockOffsetMs: 0,
    };
    const reading = reduce(start, { kind: "reading", meetingId: "42" });
    expect(reduce(reading, { kind: "entered", identity }).reading).toBeUndefined();
    expect(reduce(reading, { kind: "refreshed", identity }).reading).toBe(reading.reading);
  });

  it("remembers which meeting is over, and nothing of a meeting outside", () => {
    const over = { kind: "over", meetingId: "42", reason: "ended" } as const;
    expect(reduce(inside, over).place).toEqual({
      kind: "over",
      meetingId: "42",
      subject: "Plans",
      reason: "ended",
    });
    expect(reduce(start, over)).toBe(start);
    const hindered = { kind: "hindered", meetingId: "42", hindrance: "lost" } as const;
    expect(reduce(start, hindered).place.kind).toBe("outside");
  });
});
