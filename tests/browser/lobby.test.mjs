// Who waits outside: the lobby, and the locked meeting.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, launch, openPage, screenshots } from "./browser.mjs";
import { act, button, createMeeting, inRoster, join, logIn, openPanel, shownLink, tryAsGuest } from "./people.mjs";
import { World } from "./world.mjs";

describe("a meeting with a lobby", () => {
  let world, browser, ada, link;
  const pages = [];

  before(async () => {
    [world, browser] = await Promise.all([World.start(), launch()]);
    const { relays, users } = world.description;
    ada = await newPage(440);
    await logIn(ada, relays[0].url, users[0]);
    await createMeeting(ada, { subject: "Greenhouse", lobby: true });
    link = await shownLink(ada.getByRole("region", { name: "Share", exact: true }));
    await join(ada);
  });
  after(async () => {
    await browser?.close();
    await world?.end();
  });

  async function newPage(frequency) {
    const page = await openPage(browser, { tone: { frequency, gain: 0.1 } });
    pages.push(page);
    return page;
  }

  async function knock(name, frequency, relay = 1) {
    const page = await newPage(frequency);
    const { hash } = new URL(link);
    await tryAsGuest(page, `${world.description.relays[relay].url}/${hash}`, name);
    await page.getByRole("heading", { name: "A host will let you in" }).waitFor();
    return page;
  }

  const waiting = () => ada.getByRole("region", { name: "Waiting to be let in" });

  test("a guest waits, hears nothing and is not heard, until a host lets them in", async () => {
    const grace = await knock("Grace", 622);
    await waiting().getByText("1 person waits to be let in").waitFor();
    await Promise.all([hearsExactly(grace, [], [440, 622]), hearsExactly(ada, [], [440, 622])]);
    await screenshots(grace, "lobby-waiting");
    await screenshots(ada, "lobby-host");
    await button(ada, "Let in: Grace").click();
    await inRoster(grace, /^Grace, you/).waitFor();
    await inRoster(ada, /^Grace, guest/).waitFor();
    await waiting().waitFor({ state: "detached" });
    await Promise.all([hearsExactly(grace, [440], [440, 622]), hearsExactly(ada, [622], [440, 622])]);
  });

  test("who is sent away is told so", async () => {
    const mallory = await knock("Mallory", 880);
    await button(ada, "Send away: Mallory").click();
    await mallory.getByRole("heading", { name: "You were not let in" }).waitFor();
    await screenshots(mallory, "lobby-sent-away");
    assert.equal(await inRoster(ada, /^Mallory/).count(), 0);
  });

  test("who gives up waiting is gone", async () => {
    const page = await knock("Ida", 990);
    await button(ada, "Let in: Ida").waitFor();
    await button(page, "Leave the lobby").click();
    await waiting().waitFor({ state: "detached" });
  });

  test("several are let in at once", async () => {
    const both = [await knock("Karl", 300), await knock("Lise", 350)];
    await button(ada, "Let all in").click();
    for (const page of both) await inRoster(page, /you, guest/).waitFor();
  });

  test("a locked meeting lets nobody else in", async () => {
    await act(ada, "More", "Lock the meeting");
    await ada.getByText("The meeting is locked.").waitFor();
    await screenshots(ada, "locked");
    const late = await newPage(700);
    await tryAsGuest(late, link, "Late");
    await late.getByRole("alert").getByText("The meeting is locked").waitFor();
    await screenshots(late, "locked-outside");
    await ada.getByRole("button", { name: "Unlock" }).click();
    await ada.getByText("The meeting is locked.").waitFor({ state: "detached" });
    await button(late, "Join").click();
    await late.getByRole("heading", { name: "A host will let you in" }).waitFor();
  });

  test("the lobby is switched off in the details", async () => {
    const details = await openPanel(ada, "Details");
    await details.getByRole("checkbox", { name: "Outsiders wait until a host lets them in" }).uncheck();
    await button(details, "Save").click();
    await details.getByText("Saved.").waitFor();
    const page = await newPage(720);
    await tryAsGuest(page, link, "Otto");
    await inRoster(page, /^Otto, you/).waitFor();
  });

  test("no page has thrown", () => {
    assert.deepEqual(pages.flatMap((page) => page.errors), []);
  });
});
