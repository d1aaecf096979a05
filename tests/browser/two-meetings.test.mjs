// Invited while in a meeting: the toast interrupts nothing, the second meeting is joined beside the
// first, and one tap switches between them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, launch, openPage, screenshots } from "./browser.mjs";
import {
  button,
  choose,
  createMeeting,
  inRoster,
  isFocused,
  join,
  logIn,
  messageField,
  openChat,
  openPanel,
} from "./people.mjs";
import { World } from "./world.mjs";

const TONES = { ada: 440, grace: 622, linus: 880 };
const ALL = Object.values(TONES);

describe("two meetings", () => {
  let world, browser, ada, grace, linus;

  before(async () => {
    [world, browser] = await Promise.all([World.start(), launch()]);
    const { relays, users } = world.description;
    const come = async (index, relay, frequency) => {
      const page = await openPage(browser, { tone: { frequency, gain: 0.1 } });
      await logIn(page, relays[relay].url, users[index]);
      return page;
    };
    ada = await come(0, 0, TONES.ada);
    grace = await come(1, 1, TONES.grace);
    linus = await come(2, 0, TONES.linus);
    // Grace is with Ada in the Orchard; Linus is alone in the Cellar.
    const orchard = await createMeeting(ada, { subject: "Orchard", shared: false });
    await join(ada);
    await openPanel(ada, "Members");
    await choose(ada, "Name of a colleague", "gra", "Grace");
    await ada.getByText("Grace was added.").waitFor();
    await ada.keyboard.press("Escape");
    await grace.goto(`${relays[1].url}/#/m/${orchard}`);
    await join(grace);
    await createMeeting(linus, { subject: "Cellar", shared: false });
    await join(linus);
    await hearsExactly(grace, [TONES.ada], ALL);
  });
  after(async () => {
    await browser?.close();
    await world?.end();
  });

  const strip = (page) => page.getByRole("navigation", { name: "Your meetings" });

  test("an invitation comes while one types: focus and text stay", async () => {
    await openChat(grace);
    const field = messageField(grace);
    await field.pressSequentially("half a sen");
    const box = await field.boundingBox();
    await openPanel(linus, "Members");
    await choose(linus, "Name of a colleague", "gra", "Grace");
    const accept = button(grace, "Accept: Cellar");
    await accept.waitFor();
    assert.equal(await isFocused(field), true);
    await grace.keyboard.type("tence");
    assert.equal(await field.inputValue(), "half a sentence");
    const covering = await field.evaluate((element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return document.elementFromPoint(x + width / 2, y + height / 2) === element;
    });
    assert.equal(covering, true, "nothing lies over the field");
    const now = await field.boundingBox();
    assert.deepEqual([now.x, now.y], [box.x, box.y], "the field stays where it is");
    await screenshots(grace, "invited-while-typing");
    await button(grace, "Later: Cellar").click();
    await accept.waitFor({ state: "detached" });
    assert.equal(await field.inputValue(), "half a sentence");
  });

  test("accepted from the toast, the second meeting is joined beside the first", async () => {
    // Put off it would come again in minutes; another invitation comes at once.
    const members = await openPanel(linus, "Members");
    await button(members, "Remove from the members: Grace").click();
    await linus.getByText("Grace was removed.").waitFor();
    await choose(linus, "Name of a colleague", "gra", "Grace");
    await messageField(grace).focus();
    await button(grace, "Accept: Cellar").click();
    await grace.getByRole("heading", { name: "Cellar" }).waitFor();
    await inRoster(ada, /^Grace.*offline.*in another meeting/).waitFor();
    await inRoster(linus, /^Grace/).waitFor();
    await button(grace, "Accept: Cellar").waitFor({ state: "detached" });
    await Promise.all([
      hearsExactly(grace, [TONES.linus], ALL),
      hearsExactly(linus, [TONES.grace], ALL),
      hearsExactly(ada, [], ALL),
    ]);
  });

  test("what happens in the held meeting is counted", async () => {
    await openChat(ada);
    await messageField(ada).fill("Where are you?");
    await messageField(ada).press("Enter");
    await strip(grace).getByRole("button", { name: /^Switch to Orchard.*1 unread/ }).waitFor();
    await screenshots(grace, "two-meetings");
    await screenshots(ada, "in-another-meeting");
  });

  test("one tap switches, and what was being typed is still there", async () => {
    await strip(grace).getByRole("button", { name: /^Switch to Orchard/ }).click();
    await grace.getByRole("heading", { name: "Orchard" }).waitFor();
    await Promise.all([
      hearsExactly(grace, [TONES.ada], ALL),
      hearsExactly(ada, [TONES.grace], ALL),
      hearsExactly(linus, [], ALL),
    ]);
    await inRoster(ada, /^Grace(?!.*offline)/).waitFor();
    await inRoster(linus, /^Grace.*in another meeting/).waitFor();
    await openChat(grace);
    await grace.getByRole("log").getByText("Where are you?").waitFor();
    assert.equal(await messageField(grace).inputValue(), "half a sentence");
    assert.match(new URL(grace.url()).hash, /^#\/m\/\d+/);
  });

  test("leaving one leads to the other", async () => {
    await button(strip(grace), "Leave Orchard").click();
    await grace.getByRole("heading", { name: "Cellar" }).waitFor();
    await strip(grace).waitFor({ state: "detached" });
    await inRoster(ada, /^Grace/).waitFor({ state: "detached" });
    await hearsExactly(grace, [TONES.linus], ALL);
  });

  test("no page has thrown", () => {
    assert.deepEqual([ada, grace, linus].flatMap((page) => page.errors), []);
  });
});
