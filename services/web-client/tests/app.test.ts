import { describe, expect, it } from "vitest";
import { parsePreferences } from "../src/app/preferences";
import { meetingIdOf, meetingLink, routeOf } from "../src/app/route";
import { en } from "../src/i18n/en";
import { languageFor } from "../src/i18n/language";
import { problemText } from "../src/i18n/problem";
import { zhCN } from "../src/i18n/zh-CN";
import { hueOf, initialsOf } from "../src/view/Avatar";

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
    expect(meetingIdOf(input)).toBe(expected);
  });

  it("makes a link that carries no name", () => {
    const link = meetingLink("https://meet.example/?name=Ada#/m/1", "77");
    expect(link).toBe("https://meet.example/#/m/77");
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
