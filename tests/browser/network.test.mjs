// The network is cut and comes back, without a reload and with nothing lost.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, joinAsGuest, launch, openPage, screenshots } from "./browser.mjs";
import { Line } from "./cut.mjs";
import { button, inRoster, messageField, openChat } from "./people.mjs";
import { World } from "./world.mjs";

/** What must be told within 2 s, and what it takes to see it. */
const TOLD_WITHIN_MS = 2_000 + 500;

describe("the network", () => {
  let world, browser, line, ada, grace;

  before(async () => {
    [world, browser] = await Promise.all([World.start(), launch()]);
    const { relays, meeting_id } = world.description;
    line = await Line.to(relays[0].url);
    ada = await openPage(browser, { tone: { frequency: 440, gain: 0.1 } });
    await joinAsGuest(ada, `${line.url}/#/m/${meeting_id}`, "Ada");
    grace = await openPage(browser, { tone: { frequency: 622, gain: 0.1 } });
    await joinAsGuest(grace, `${relays[1].url}/#/m/${meeting_id}`, "Grace");
    await Promise.all([hearsExactly(ada, [622], [440, 622]), hearsExactly(grace, [440], [440, 622])]);
    await ada.evaluate(() => (window.notReloaded = true));
  });
  after(async () => {
    line?.close();
    await browser?.close();
    await world?.end();
  });

  const told = (page) => page.getByRole("status").filter({ hasText: /^Reconnecting… / });

  test("when nothing comes any more, it is told within 2 s", async () => {
    line.silence();
    const begin = Date.now();
    await told(ada).waitFor();
    assert.ok(Date.now() - begin <= TOLD_WITHIN_MS, `told after ${Date.now() - begin} ms`);
    await screenshots(ada, "reconnecting");
  });

  test("what is done meanwhile is kept, and typing goes on", async () => {
    line.cut();
    await openChat(ada);
    const field = messageField(ada);
    await field.fill("said while the line was cut");
    await field.press("Enter");
    await ada.getByText("being sent…").waitFor();
    await field.pressSequentially("and on");
    await button(ada, "Raise hand").click();
    await screenshots(ada, "kept-while-cut");
    assert.equal(await inRoster(grace, /^Ada.*hand/).count(), 0);
  });

  test("when it is back, all of it arrives, once", async () => {
    line.mend();
    await told(ada).waitFor({ state: "detached", timeout: 40_000 });
    await inRoster(grace, /^Ada.*hand raised, number 1/).waitFor({ timeout: 40_000 });
    const chat = await openChat(grace);
    await chat.getByText("said while the line was cut").waitFor();
    assert.equal(await chat.getByText("said while the line was cut").count(), 1);
    await ada.getByText("being sent…").waitFor({ state: "detached" });
    const own = ada.getByRole("log", { name: "Messages" });
    assert.equal(await own.getByText("said while the line was cut").count(), 1);
    assert.equal(await messageField(ada).inputValue(), "and on");
    assert.equal(await ada.evaluate(() => window.notReloaded), true);
    await Promise.all([
      hearsExactly(ada, [622], [440, 622], { deadline: 40_000 }),
      hearsExactly(grace, [440], [440, 622], { deadline: 40_000 }),
    ]);
    await inRoster(grace, /^Ada(?!.*offline)/).waitFor();
    await screenshots(ada, "reconnected");
  });

  test("mute chosen while it was cut holds afterwards", async () => {
    line.cut();
    await told(ada).waitFor();
    await button(ada, "Mute").click();
    line.mend();
    await inRoster(grace, /^Ada.*muted/).waitFor({ timeout: 40_000 });
    await hearsExactly(grace, [], [440, 622]);
    await button(ada, "Unmute").waitFor();
  });

  test("no page has thrown", () => {
    assert.deepEqual([...ada.errors, ...grace.errors], []);
  });
});
