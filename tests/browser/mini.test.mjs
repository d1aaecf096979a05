// The meeting made small: in a window of its own where the browser has such, else as a card.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, joinAsGuest, launch, openPage, screenshot, screenshots } from "./browser.mjs";
import { button, inRoster } from "./people.mjs";
import { World } from "./world.mjs";

describe("the mini window", () => {
  let world, browser, ada, grace;

  before(async () => {
    [world, browser] = await Promise.all([World.start(), launch()]);
    const { relays, meeting_id } = world.description;
    ada = await openPage(browser, {
      tone: { frequency: 440, gain: 0.1 },
      script: () => delete window.documentPictureInPicture,
    });
    await joinAsGuest(ada, `${relays[0].url}/#/m/${meeting_id}`, "Ada");
    grace = await openPage(browser, { tone: { frequency: 622, gain: 0.1 } });
    await joinAsGuest(grace, `${relays[1].url}/#/m/${meeting_id}`, "Grace");
    await inRoster(ada, /^Grace/).waitFor();
  });
  after(async () => {
    await browser?.close();
    await world?.end();
  });

  const card = (page) => page.getByRole("complementary", { name: "Meeting in a mini window" });

  test("is a card where the browser has no such window; who speaks is in it", async () => {
    await button(ada, "Mini window").click();
    await card(ada).getByText("Speaking: ").filter({ hasText: "Grace" }).waitFor();
    await hearsExactly(ada, [622], [440, 622]);
    await screenshots(ada, "mini-card");
  });

  test("is moved by keys and by pointer, and stays on the page", async () => {
    const grip = card(ada).getByRole("button", { name: /Move the mini window/ });
    await grip.focus();
    const before = await card(ada).boundingBox();
    await grip.press("ArrowUp");
    const after = await card(ada).boundingBox();
    assert.ok(after.y < before.y);
    await grip.hover();
    await ada.mouse.down();
    await ada.mouse.move(5000, -5000);
    await ada.mouse.up();
    const { x, y, width, height } = await card(ada).boundingBox();
    assert.ok(x >= 0 && y >= 0 && x + width <= 1280 && y + height <= 800);
  });

  test("microphone and hand are in it", async () => {
    await button(card(ada), "Mute").click();
    await inRoster(grace, /^Ada.*muted/).waitFor();
    await hearsExactly(grace, [], [440, 622]);
    await button(card(ada), "Unmute").click();
    await button(card(ada), "Raise hand").click();
    await inRoster(grace, /^Ada.*hand raised/).waitFor();
    await hearsExactly(grace, [440], [440, 622]);
  });

  test("going back restores the meeting", async () => {
    await button(card(ada), "Back to the meeting").click();
    await card(ada).waitFor({ state: "detached" });
    await inRoster(ada, /^Grace/).waitFor();
    await inRoster(ada, /^Ada, you.*hand raised/).waitFor();
  });

  test("is a window of its own where there is such", async () => {
    const [small] = await Promise.all([
      grace.context().waitForEvent("page"),
      button(grace, "Mini window").click(),
    ]);
    await button(small, "Mute").waitFor();
    await grace.getByText("The meeting is in the mini window.").waitFor();
    await screenshot(small, "mini-window-en");
    await button(small, "Mute").click();
    await inRoster(ada, /^Grace.*muted/).waitFor();
    await button(small, "Back to the meeting").click();
    await inRoster(grace, /^Grace, you.*muted/).waitFor();
  });

  test("leaving is in it too", async () => {
    await button(ada, "Mini window").click();
    await button(card(ada), "Leave").click();
    await ada.getByText("You have left the meeting").waitFor();
    await inRoster(grace, /^Ada/).waitFor({ state: "detached" });
  });

  test("no page has thrown", () => {
    assert.deepEqual([...ada.errors, ...grace.errors], []);
  });
});
