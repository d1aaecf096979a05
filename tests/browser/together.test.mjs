// What people do together in a meeting: hands, check-in, presence, chat, and what hosts do.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { joinAsGuest, launch, openPage, screenshot, screenshots } from "./browser.mjs";
import {
  act,
  button,
  createMeeting,
  inRoster,
  isFocused,
  join,
  logIn,
  messageField,
  openChat,
  openPanel,
  shownLink,
} from "./people.mjs";
import { World } from "./world.mjs";

describe("people in a meeting", () => {
  let world, browser, ada, grace, linus;

  before(async () => {
    [world, browser] = await Promise.all([World.start(), launch()]);
    const { relays, users } = world.description;
    ada = await openPage(browser, { tone: { frequency: 440, gain: 0 } });
    await logIn(ada, relays[0].url, users[0]);
    await createMeeting(ada, { subject: "Orchard" });
    const link = await shownLink(ada.getByRole("region", { name: "Share", exact: true }));
    await join(ada);
    const { hash } = new URL(link);
    grace = await openPage(browser, { tone: { frequency: 622, gain: 0 } });
    await joinAsGuest(grace, `${relays[1].url}/${hash}`, "Grace");
    linus = await openPage(browser, { tone: { frequency: 880, gain: 0 } });
    await joinAsGuest(linus, `${relays[1].url}/${hash}`, "Linus");
    await inRoster(ada, /^Linus/).waitFor();
  });
  after(async () => {
    await browser?.close();
    await world?.end();
  });

  test("hands are raised by button and by key, and shown in order", async () => {
    await button(grace, "Raise hand").click();
    await inRoster(ada, /^Grace.*hand raised, number 1/).waitFor();
    await linus.keyboard.press("h");
    await button(linus, "Lower hand").waitFor();
    for (const page of [ada, grace, linus]) {
      await inRoster(page, /^Grace.*number 1 in line/).waitFor();
      await inRoster(page, /^Linus.*number 2 in line/).waitFor();
    }
    await screenshots(ada, "hands");
    await button(grace, "Lower hand").click();
    await inRoster(ada, /^Linus.*number 1 in line/).waitFor();
    await inRoster(ada, /^Grace(?!.*hand)/).waitFor();
  });

  test("a host lowers a hand; its owner is told", async () => {
    await act(ada, "Actions for Linus", "Lower hand");
    await linus.getByText("Ada has lowered your hand.").waitFor();
    await button(linus, "Raise hand").waitFor();
  });

  test("checking in is on record", async () => {
    await button(grace, "Check in").click();
    await button(grace, "Checked in").waitFor();
    await inRoster(ada, /^Grace.*checked in/).waitFor();
    const panel = await openPanel(ada, "Attendance");
    await panel.getByRole("rowheader", { name: /Grace.*Checked in/ }).waitFor();
    await screenshots(ada, "attendance");
    for (const [format, beginning] of [
      ["CSV", "participant_id,"],
      ["JSON", "{"],
    ]) {
      const [download] = await Promise.all([
        ada.waitForEvent("download"),
        button(panel, `Download ${format}`).click(),
      ]);
      const text = await readFile(await download.path(), "utf8");
      assert.ok(text.startsWith(beginning));
      assert.ok(text.includes("Grace") && text.includes("Office B"));
    }
    await ada.keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });
  });

  test("who goes away is shown as away, and comes back", async () => {
    await button(grace, "Away").click();
    await inRoster(ada, /^Grace.*away/).waitFor();
    await screenshots(ada, "away");
    await button(grace, "I’m back").click();
    await inRoster(ada, /^Grace(?!.*away)/).waitFor();
  });

  test("chat: unread is counted until it is looked at", async () => {
    const chat = await openChat(grace);
    const field = messageField(grace);
    await field.fill("Good morning");
    await field.press("Enter");
    await chat.getByText("Good morning").waitFor();
    await field.pressSequentially("one");
    await field.press("Shift+Enter");
    await field.pressSequentially("two https://example.org");
    await field.press("Enter");
    assert.equal(await isFocused(field), true);
    assert.equal(await field.inputValue(), "");
    await button(ada, "Chat, 2 unread messages").waitFor();
    await screenshots(ada, "chat-unread");
    await ada.keyboard.press("c");
    const log = ada.getByRole("log", { name: "Messages" });
    await log.getByText("two https://example.org").waitFor();
    assert.equal(await log.getByRole("link").count(), 0);
    await button(ada, "Chat").waitFor();
  });

  test("chat: to one person only, and nobody else sees it", async () => {
    await act(ada, "Actions for Linus", "Write to Linus");
    await messageField(ada).fill("only for you");
    await messageField(ada).press("Enter");
    await ada.getByText("Only to Linus").waitFor();
    const chat = await openChat(linus);
    await chat.getByText("only for you").waitFor();
    await chat.getByText("Only to you").waitFor();
    await screenshots(ada, "chat-private");
    await screenshot(linus, "chat-private-received");
    await button(ada, "Do not write to Linus").click();
    await messageField(ada).fill("for all");
    await messageField(ada).press("Enter");
    const log = grace.getByRole("log", { name: "Messages" });
    await log.getByText("for all").waitFor();
    assert.equal(await log.getByText("only for you").count(), 0);
  });

  test("keys are nobody's while somebody types", async () => {
    await messageField(ada).fill("");
    await messageField(ada).pressSequentially("mh ?");
    assert.equal(await messageField(ada).inputValue(), "mh ?");
    await button(ada, "Mute").waitFor();
    await button(ada, "Raise hand").waitFor();
    await ada.keyboard.press("Escape");
    await ada.keyboard.press("c");
    assert.equal(await messageField(ada).inputValue(), "mh ?");
    await ada.keyboard.press("Escape");
    await ada.getByRole("heading", { name: "Orchard" }).click();
    await ada.keyboard.press("?");
    await ada.getByRole("region", { name: "Keyboard" }).waitFor();
    await screenshots(ada, "keyboard");
    await ada.keyboard.press("Escape");
  });

  test("the space bar is held to talk while muted", async () => {
    await grace.getByRole("heading", { name: "Orchard" }).click();
    await grace.keyboard.press("Escape");
    await grace.keyboard.press("m");
    await inRoster(ada, /^Grace.*muted/).waitFor();
    await grace.keyboard.down(" ");
    await inRoster(ada, /^Grace(?!.*muted)/).waitFor();
    await grace.keyboard.up(" ");
    await inRoster(ada, /^Grace.*muted/).waitFor();
  });

  test("a host asks to unmute, which takes one tap", async () => {
    await act(ada, "Actions for Grace", "Ask to unmute");
    await grace.getByText("Ada asks you to unmute").waitFor();
    await screenshots(grace, "asked-to-unmute");
    await grace.locator(".hint-line").getByRole("button", { name: "Unmute" }).click();
    await inRoster(ada, /^Grace(?!.*muted)/).waitFor();
    await act(ada, "Actions for Grace", "Mute");
    await grace.getByText("Ada has muted you.").waitFor();
    await button(grace, "Unmute").first().click();
  });

  test("a host shows somebody to everybody, and makes them host", async () => {
    await act(ada, "Actions for Grace", "Show to everybody");
    const spotlight = linus.getByRole("region", { name: "in the spotlight" });
    await spotlight.getByText("Grace", { exact: true }).waitFor();
    await screenshots(linus, "spotlight");
    await button(ada, "No longer show to everybody").click();
    await spotlight.waitFor({ state: "detached" });
    await act(ada, "Actions for Grace", "Make host");
    await grace.getByText("You are a host of this meeting now.").waitFor();
    await inRoster(linus, /^Grace, guest, host/).waitFor();
    await act(grace, "Actions for Linus", "Mute");
    await linus.getByText("Grace has muted you.").waitFor();
  });

  test("somebody takes another name", async () => {
    await act(linus, "More", "Change your name");
    const panel = linus.getByRole("region", { name: "Your name" });
    await panel.getByRole("textbox", { name: "Your name" }).fill("Linus from Turku");
    await button(panel, "Save").click();
    await inRoster(ada, /^Linus from Turku, guest/).waitFor();
    await panel.getByRole("textbox", { name: "Your name" }).fill("Linus");
    await button(panel, "Save").click();
    await inRoster(ada, /^Linus, guest/).waitFor();
    await linus.keyboard.press("Escape");
  });

  test("groups are folded into their picture, and unfolded", async () => {
    const tile = ada.getByRole("button", { name: /Office B/ });
    assert.equal(await tile.getAttribute("aria-expanded"), "true");
    await tile.click();
    await inRoster(ada, /^Grace/).waitFor({ state: "detached" });
    await screenshots(ada, "group-folded");
    await tile.press("Enter");
    await inRoster(ada, /^Grace/).waitFor();
  });

  test("on a phone everything is within reach", async () => {
    const { hash } = new URL(ada.url());
    const phone = await openPage(browser, { viewport: { width: 360, height: 740 } });
    await logIn(phone, world.description.relays[0].url, world.description.users[0]);
    await phone.goto(`${world.description.relays[0].url}/${hash}`);
    await join(phone);
    await inRoster(phone, /^Grace/).waitFor();
    await screenshots(phone, "phone-meeting");
    await button(phone, "More").click();
    await phone.getByRole("menuitem", { name: "Attendance" }).waitFor();
    await screenshots(phone, "phone-menu");
    await phone.keyboard.press("Escape");
    await openChat(phone);
    await screenshots(phone, "phone-chat");
    for (const name of ["Mute", "Raise hand", "Leave"]) {
      const { x, y, width, height } = await button(phone, name).boundingBox();
      assert.ok(x >= 0 && y >= 0 && x + width <= 360 && y + height <= 740, `${name} is on the page`);
    }
    await button(phone, "Leave").click();
    assert.deepEqual(phone.errors, []);
  });

  test("who is removed is told so, and can't come back", async () => {
    await act(ada, "Actions for Linus", "Remove from the meeting", "Remove for good?");
    await linus.getByRole("heading", { name: "You are no longer in the meeting" }).waitFor();
    await screenshots(linus, "removed");
    await inRoster(ada, /^Linus/).waitFor({ state: "detached" });
    await linus.reload();
    await button(linus, "Join").click();
    await linus.getByRole("alert").waitFor();
  });

  test("no page has thrown", () => {
    assert.deepEqual([ada, grace, linus].flatMap((page) => page.errors), []);
  });
});
