import { describe, expect, it } from "vitest";
import { parsePreferences } from "../src/app/preferences";
import { meetingAddressOf, meetingHash, meetingLink, routeOf } from "../src/app/route";
import { en } from "../src/i18n/en";
import { languageFor } from "../src/i18n/language";
import { failureText, problemText } from "../src/i18n/problem";
import { zhCN } from "../src/i18n/zh-CN";
import { hueOf, initialsOf } from "../src/view/Avatar";

const SECRET = "AbCdEfGhIjKlMnOpQr-_Ug";

describe("route", () => {
  it.each([
    ["", undefined],
    ["#/", undefined],
    ["#/m/42", "42"],
    ["#/m/42/", "42"],
    ["#/m/18446744073709551615", "18446744073709551615"],
    ["#/m/18446744073709551616", undefined],
    ["#/m/0", undefined],
    ["#/m/4x", undefined],
  ])("%s leads to meeting %s", (hash, expected) => {
    const route = routeOf(hash);
    expect(route.kind === "meeting" ? route.meetingId : undefined).toBe(expected);
  });

  it.each([
    [`#/m/42/${SECRET}`, SECRET],
    [`#/m/42/${SECRET}/`, SECRET],
    ["#/m/42", ""],
    [`#/m/42/${SECRET}x`, ""],
    [`#/m/42/${SECRET.slice(1)}`, ""],
    ["#/m/42/a link that was cut", ""],
  ])("%s leads to meeting 42 with secret “%s”", (hash, secret) => {
    expect(routeOf(hash)).toMatchObject({ kind: "meeting", meetingId: "42", secret });
  });

  it.each([
    ["42", "42"],
    [" 1234 5678-9 ", "123456789"],
    ["https://meet.example/?name=Ada#/m/77", "77"],
    ["meet.example/#/m/77?x=1", "77"],
    ["", undefined],
    ["hello", undefined],
    ["-1", "1"],
    ["99999999999999999999", undefined],
    ["https://meet.example/#/m/", undefined],
  ])("what is typed as “%s” is meeting %s", (input, expected) => {
    expect(meetingAddressOf(input)?.meetingId).toBe(expected);
  });

  it.each([
    [`https://meet.example/#/m/77/${SECRET}`, SECRET],
    [`https://meet.example/sub/#/m/77/${SECRET}/`, SECRET],
    [`Come: https://meet.example/?name=Ada#/m/77/${SECRET}. See you`, SECRET],
    [`https://meet.example/#/m/77/${SECRET}xx`, ""],
    ["https://meet.example/#/m/77/", ""],
    ["77", ""],
  ])("of what is pasted as “%s” the secret is “%s”", (input, secret) => {
    expect(meetingAddressOf(input)).toMatchObject({ meetingId: "77", secret });
  });

  it.each([
    [`https://meet.example/#/m/77/${SECRET}?relay=office-a`, SECRET, "office-a"],
    ["https://meet.example/?name=Ada#/m/77?relay=room_3", "", "room_3"],
    [`Come: https://meet.example/#/m/77/${SECRET}?relay=office-a. See you`, SECRET, "office-a"],
    [`https://meet.example/?relay=query#/m/77/${SECRET}`, SECRET, ""],
    [`https://meet.example/#/m/77/${SECRET}?relay=${"x".repeat(65)}`, SECRET, ""],
    [`https://meet.example/#/m/77/${SECRET}?relay=`, SECRET, ""],
  ])("of what is pasted as “%s” the relay is the one in the fragment", (input, secret, relay) => {
    expect(meetingAddressOf(input)).toEqual({ meetingId: "77", secret, relay });
  });

  it("reads back what it writes", () => {
    expect(routeOf(meetingHash("77", SECRET))).toMatchObject({ meetingId: "77", secret: SECRET });
    expect(routeOf(meetingHash("77", SECRET, "office-a"))).toEqual({
      kind: "meeting",
      meetingId: "77",
      secret: SECRET,
      relay: "office-a",
    });
    expect(meetingHash("77")).toBe("#/m/77");
  });

  it("makes a link that carries no name", () => {
    const link = meetingLink("https://meet.example/?name=Ada#/m/1", "77");
    expect(link).toBe("https://meet.example/#/m/77");
    const withSecret = meetingLink("https://meet.example/?name=Ada#/m/1", "77", SECRET);
    expect(withSecret).toBe(`https://meet.example/#/m/77/${SECRET}`);
  });
});

describe("preferences", () => {
  it("keep what has the right type and drop the rest", () => {
    const stored = parsePreferences('{"name":"Ada","joinMuted":"yes","other":1}');
    expect(stored).toMatchObject({ name: "Ada", joinMuted: false, improveSound: true });
    expect(stored).not.toHaveProperty("other");
  });

  it.each([null, "", "{", "null", "[]", "7"])("survive storage that holds %s", (text) => {
    expect(parsePreferences(text).name).toBe("");
  });
});

describe("language", () => {
  it.each([
    [["zh-CN"], "zh-CN"],
    [["zh-TW", "en"], "zh-CN"],
    [["zh"], "zh-CN"],
    [["fr", "en-GB"], "en"],
    [["fr"], "en"],
    [[], "en"],
    [["", "zh-Hans"], "zh-CN"],
  ] as const)("for %j is %s", (wished, expected) => {
    expect(languageFor(wished)).toBe(expected);
  });

  it("has no empty text", () => {
    const check = (value: unknown): void => {
      if (typeof value === "string") expect(value.trim()).not.toBe("");
      else if (typeof value === "object" && value !== null) Object.values(value).forEach(check);
    };
    [en, zhCN].forEach(check);
  });

  it("says that a password is wrong only where one was entered", () => {
    const reason = "notLoggedIn";
    expect(problemText(en, { during: "logIn", reason })).toBe(en.problem.wrongPassword);
    expect(problemText(en, { during: "create", reason })).toBe(en.refusal.notLoggedIn);
  });

  it("tells an outsider the same, whatever the reason was", () => {
    const text = failureText(en, "join", "notAdmitted");
    expect(text).toContain("Check the link or the id and the password, or ask the organiser");
    expect(failureText(en, "join", "wrongPassword")).toContain("password is wrong");
    expect(failureText(en, "join", "passwordNeeded")).toContain("has a password");
  });

  it("says that mail is not set up only when mail was to be sent", () => {
    expect(failureText(en, "email", "unsupported")).toBe(en.share.mailOff);
    expect(failureText(en, "other", "unsupported")).toBe(en.refusal.unsupported);
  });
});

describe("avatar", () => {
  it.each([
    ["Ada Lovelace", "AL"],
    ["ada", "A"],
    ["Jean Luc Picard", "JP"],
    ["李小龙", "小龙"],
    ["王芳", "王芳"],
    ["  ", "?"],
    ["😀 Smile", "😀S"],
  ])("of %s shows %s", (name, expected) => {
    expect(initialsOf(name)).toBe(expected);
  });

  it("has a colour within the palette, always the same", () => {
    for (const id of ["", "a", "用户", "x".repeat(500)]) {
      expect(hueOf(id)).toBe(hueOf(id));
      expect(hueOf(id)).toBeGreaterThanOrEqual(0);
      expect(hueOf(id)).toBeLessThan(8);
    }
  });
});
