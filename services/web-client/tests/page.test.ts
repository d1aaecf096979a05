// What holds the parts of the page together: the address, and the system's notifications.

import { describe, expect, it, vi } from "vitest";
import { followAddress, turnFor } from "../src/app/itinerary";
import type { Route } from "../src/app/route";
import { Store } from "../src/app/store";
import { AttendanceReports } from "../src/attendance/reports";
import { MeetingFiles } from "../src/attachments/files";
import type { Notice } from "../src/notices/notices";
import { SystemNotifier } from "../src/notices/system";
import type { Desktop, Shown } from "../src/notices/system";
import { initialState, reduce } from "../src/session/state";
import type { SessionAction, SessionState } from "../src/session/state";
import { meeting, participant, snapshotWith } from "./meetings";

const at = (meetingId: string): Route => ({ kind: "meeting", meetingId, secret: "", relay: "" });
const start: Route = { kind: "start" };
const follow = (state: SessionState, ...actions: SessionAction[]) => actions.reduce(reduce, state);
const joining = (meetingId: string, held: boolean): SessionAction => ({
  kind: "joining",
  meetingId,
  held,
});
const joined = (meetingId: string): SessionAction => ({
  kind: "joined",
  meeting: { ...meeting, id: meetingId },
  selfId: 3,
  snapshot: snapshotWith(1n, participant(3)),
  waiting: false,
  pending: [],
});
const one = follow(initialState(undefined), joining("1", false), joined("1"));
const two = follow(one, joining("2", true), joined("2"));

describe("address", () => {
  it("leaves, switches or does nothing", () => {
    expect(turnFor(initialState(undefined), at("1"), false)).toBe("nothing");
    expect(turnFor(one, at("1"), false)).toBe("nothing");
    expect(turnFor(one, start, false)).toBe("leave");
    expect(turnFor(one, at("2"), false)).toBe("leave");
    expect(turnFor(two, at("2"), false)).toBe("switch");
    expect(turnFor(follow(one, joining("2", true)), at("2"), false)).toBe("leave");
  });

  it("leaves nothing while the meeting is in a small window, but what is over", () => {
    expect(turnFor(one, start, true)).toBe("nothing");
    expect(turnFor(two, at("2"), true)).toBe("switch");
    const over = follow(one, { kind: "over", meetingId: "1", reason: "ended" });
    expect(turnFor(over, start, true)).toBe("leave");
  });

  it("follows the meeting that becomes the live one, and nothing else", () => {
    const state = new Store(one);
    const route = new Store<Route>(at("1"));
    const nowAtMeeting = vi.fn();
    const switchTo = vi.fn();
    const leaveAll = vi.fn();
    followAddress({ state, route, beneath: () => false, nowAtMeeting, switchTo, leaveAll });
    state.set(two);
    expect(nowAtMeeting).not.toHaveBeenCalled();
    state.set(follow(two, { kind: "switched", meetingId: "2" }));
    expect(nowAtMeeting.mock.calls).toEqual([["2"]]);
    route.set(at("2"));
    expect(switchTo).not.toHaveBeenCalled();
    route.set(at("1"));
    expect(switchTo.mock.calls).toEqual([["1"]]);
    route.set(start);
    expect(leaveAll).toHaveBeenCalledOnce();
    state.set(initialState(undefined));
    expect(nowAtMeeting).toHaveBeenCalledOnce();
  });
});

const notice = (id: string): Notice => ({
  id,
  meetingId: id,
  subject: `Subject ${id}`,
  fromUserId: "u",
  fromName: "Ada",
  expiresAtMs: Number.POSITIVE_INFINITY,
  kind: { kind: "added" },
});

class FakeDesktop implements Desktop {
  readonly shown: string[] = [];
  readonly closed: string[] = [];
  last: Shown | undefined;
  isHidden = true;
  fronts = 0;
  asked = 0;

  constructor(private granted: NotificationPermission | undefined) {}

  permission = () => this.granted;
  hidden = () => this.isHidden;
  front = () => void this.fronts++;
  request = async (): Promise<NotificationPermission> => {
    this.asked++;
    this.granted = "granted";
    return "granted";
  };
  show = (title: string, _body: string, tag: string) => {
    this.shown.push(title);
    this.last = { onclick: null, close: () => void this.closed.push(tag) };
    return this.last;
  };
}

describe("system notifications", () => {
  it("are shown once each, while the page is hidden, and go with their notice", () => {
    const desktop = new FakeDesktop("granted");
    const notifier = new SystemNotifier(desktop);
    notifier.tell([notice("a")]);
    notifier.tell([notice("a"), notice("b")]);
    expect(desktop.shown).toEqual(["Subject a", "Subject b"]);
    notifier.tell([notice("b")]);
    expect(desktop.closed).toEqual(["a"]);
    notifier.tell([notice("b"), notice("a")]);
    expect(desktop.shown).toEqual(["Subject a", "Subject b", "Subject a"]);
    expect(desktop.fronts).toBe(0);
  });

  it("are not shown to who has the page in front, nor afterwards", () => {
    const desktop = new FakeDesktop("granted");
    const notifier = new SystemNotifier(desktop);
    desktop.isHidden = false;
    notifier.tell([notice("a")]);
    desktop.isHidden = true;
    notifier.tell([notice("a")]);
    expect(desktop.shown).toEqual([]);
  });

  it("bring the page to the front by a click only", () => {
    const desktop = new FakeDesktop("granted");
    new SystemNotifier(desktop).tell([notice("a")]);
    desktop.last?.onclick?.call(desktop.last as never, {} as Event);
    expect(desktop.fronts).toBe(1);
    expect(desktop.closed).toEqual(["a"]);
  });

  it("ask when they are told to, and never after a refusal", async () => {
    const desktop = new FakeDesktop("default");
    const notifier = new SystemNotifier(desktop);
    notifier.tell([notice("a")]);
    expect([desktop.asked, desktop.shown.length]).toEqual([0, 0]);
    await notifier.ask();
    expect(notifier.state.get()).toBe("granted");
    const denied = new FakeDesktop("denied");
    const other = new SystemNotifier(denied);
    await other.ask();
    expect([denied.asked, other.state.get()]).toEqual([0, "denied"]);
    expect(new SystemNotifier(new FakeDesktop(undefined)).state.get()).toBe("unsupported");
  });
});

describe("attendance report", () => {
  it("is asked for in the name of who is logged in", async () => {
    const send = vi.fn(async () => new Response("a,b"));
    const pass = () => ({ identityToken: "t", secret: "", password: "" });
    const reports = new AttendanceReports(new MeetingFiles(pass, send));
    const answer = await reports.read("42", "csv");
    expect(answer.ok && (await answer.value.text())).toBe("a,b");
    expect(send).toHaveBeenCalledWith(
      "/meetings/42/attendance.csv",
      expect.objectContaining({ method: "GET", headers: { authorization: "Bearer t" } }),
    );
    send.mockResolvedValueOnce(new Response("", { status: 403 }));
    expect(await reports.read("42", "json")).toEqual({ ok: false, reason: "forbidden" });
  });
});
