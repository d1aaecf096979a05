// Private talk, as people do it and hear it: held by pointer and by key, kept on, answered.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, joinAsGuest, launch, openPage, screenshots } from "./browser.mjs";
import { button, inRoster } from "./people.mjs";
import { World } from "./world.mjs";

const ADA = 523;
const GRACE = 784;
const LINUS = 1047;
const ALL = [ADA, GRACE, LINUS];

describe("private talk", () => {
  let world, browser, ada, grace, linus;

  before(async () => {
    [world, browser] = await Promise.all([World.start(), launch()]);
    const { relays, meeting_id } = world.description;
    const come = async (name, frequency, relay) => {
      const page = await openPage(browser, { tone: { frequency, gain: 0 } });
      await joinAsGuest(page, `${relays[relay].url}/#/m/${meeting_id}`, name);
      return page;
    };
    ada = await come("Ada", ADA, 0);
    grace = await come("Grace", GRACE, 1);
    linus = await come("Linus", LINUS, 1);
    await inRoster(ada, /^Linus/).waitFor();
    await ada.evaluate(() => window.tributaryTest.setGain(0.1));
  });
  after(async () => {
    await browser?.close();
    await world?.end();
  });

  const everybodyHearsAda = () =>
    Promise.all([
      hearsExactly(ada, [], ALL),
      hearsExactly(grace, [ADA], ALL),
      hearsExactly(linus, [ADA], ALL),
    ]);
  const onlyGraceHearsAda = () =>
    Promise.all([
      hearsExactly(ada, [], ALL),
      hearsExactly(grace, [ADA], ALL),
      hearsExactly(linus, [], ALL),
    ]);
  const bar = (page) => page.getByRole("region", { name: "Private talk" });

  test("before it, everybody is heard by everybody", everybodyHearsAda);

  test("who is chosen hears what is said while it is held, and nobody else does", async () => {
    await button(ada, "Talk privately to Grace").click();
    await bar(ada).getByText("To Grace").waitFor();
    await screenshots(ada, "private-chosen");
    await button(ada, "Hold to talk privately").hover();
    await ada.mouse.down();
    await bar(ada).getByText("Only Grace hears you").waitFor();
    await grace.getByText("Ada talks to you privately").waitFor();
    await inRoster(grace, /^Ada.*speaks to you privately/).waitFor();
    await onlyGraceHearsAda();
    assert.equal(await linus.getByText(/privately/).filter({ visible: true }).count(), 0);
    await screenshots(ada, "private-talk");
    await screenshots(grace, "private-heard");
    await ada.mouse.up();
    await bar(ada).getByText("To Grace").waitFor();
    await grace.getByText("Ada talks to you privately").waitFor({ state: "detached" });
    await everybodyHearsAda();
  });

  test("a finger holds it", async () => {
    const { x, y, width, height } = await button(ada, "Hold to talk privately").boundingBox();
    const finger = { x: x + width / 2, y: y + height / 2 };
    const device = await ada.context().newCDPSession(ada);
    const touch = (type, touchPoints) =>
      device.send("Input.dispatchTouchEvent", { type, touchPoints });
    await touch("touchStart", [finger]);
    await bar(ada).getByText("Only Grace hears you").waitFor();
    // It may slip off the button.
    await touch("touchMove", [{ x: finger.x, y: finger.y - 200 }]);
    await onlyGraceHearsAda();
    await touch("touchEnd", []);
    await bar(ada).getByText("To Grace").waitFor();
    await everybodyHearsAda();
  });

  test("the space bar holds it too, also while muted", async () => {
    await ada.getByRole("heading", { level: 1 }).click();
    await ada.keyboard.press("m");
    await hearsExactly(grace, [], ALL);
    await ada.keyboard.down(" ");
    await bar(ada).getByText("Only Grace hears you").waitFor();
    await onlyGraceHearsAda();
    await ada.keyboard.up(" ");
    await Promise.all([hearsExactly(grace, [], ALL), hearsExactly(linus, [], ALL)]);
    await ada.keyboard.press("m");
    await everybodyHearsAda();
  });

  test("it can be kept on, to several, and ends by one tap", async () => {
    await button(ada, "Keep on").click();
    await bar(ada).getByText("Only Grace hears you").waitFor();
    await onlyGraceHearsAda();
    await button(ada, "Talk privately to Linus").click();
    await bar(ada).getByText("Only Grace and Linus hear you").waitFor();
    await linus.getByText("Ada talks to you privately").waitFor();
    await everybodyHearsAda();
    await screenshots(ada, "private-latched");
    await button(ada, "Back to everybody").click();
    await bar(ada).getByText("To Grace and Linus").waitFor();
    await everybodyHearsAda();
    await button(ada, "Choose nobody").click();
    await bar(ada).waitFor({ state: "detached" });
  });

  test("it is answered privately, beside what the meeting hears", async () => {
    await button(ada, "Talk privately to Grace").click();
    await button(ada, "Keep on").click();
    await grace.getByText("Ada talks to you privately").waitFor();
    await button(grace, "Answer privately").click();
    await grace.evaluate(() => window.tributaryTest.setGain(0.1));
    await linus.evaluate(() => window.tributaryTest.setGain(0.1));
    await button(grace, "Keep on").click();
    await bar(grace).getByText("Only Ada hears you").waitFor();
    await Promise.all([
      hearsExactly(ada, [GRACE, LINUS], ALL),
      hearsExactly(grace, [ADA, LINUS], ALL),
      hearsExactly(linus, [], ALL),
    ]);
    for (const page of [ada, grace]) await button(page, "Back to everybody").click();
    await hearsExactly(linus, [ADA, GRACE], ALL);
  });

  test("who leaves the window lets go", async () => {
    await grace.evaluate(() => window.tributaryTest.setGain(0));
    await linus.evaluate(() => window.tributaryTest.setGain(0));
    await ada.getByRole("heading", { level: 1 }).click();
    await ada.keyboard.down(" ");
    await bar(ada).getByText("Only Grace hears you").waitFor();
    await ada.evaluate(() => window.dispatchEvent(new Event("blur")));
    await bar(ada).getByText("To Grace").waitFor();
    await everybodyHearsAda();
    await ada.keyboard.up(" ");
  });

  test("nobody is put on the floor when the one leaves whom it is for", async () => {
    await ada.getByRole("heading", { level: 1 }).click();
    await ada.keyboard.down(" ");
    await bar(ada).getByText("Only Grace hears you").waitFor();
    await button(grace, "Leave").click();
    await bar(ada).getByText("Private talk has ended: nobody hears you").waitFor();
    await hearsExactly(linus, [], ALL);
    await screenshots(ada, "private-unheard");
    await ada.keyboard.up(" ");
    await bar(ada).getByText("Nobody whom you have chosen is here").waitFor();
    await hearsExactly(linus, [ADA], ALL);
    // Nor by the next press, which is still meant for her.
    await ada.keyboard.down(" ");
    await hearsExactly(linus, [], ALL);
    await ada.keyboard.up(" ");
    await button(ada, "Choose nobody").click();
    await bar(ada).waitFor({ state: "detached" });
    await hearsExactly(linus, [ADA], ALL);
  });

  test("no page has thrown", () => {
    assert.deepEqual([ada, grace, linus].flatMap((page) => page.errors), []);
  });
});
