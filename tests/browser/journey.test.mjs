// What a person does with the web client, from the first page to the last.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, joinAsGuest, launch, openPage, screenshot } from "./browser.mjs";
import { act, button } from "./people.mjs";
import { World } from "./world.mjs";

const ADA = 523;
const GRACE = 784;

const person = (page, group, name) =>
  page.getByRole("list", { name: group }).getByRole("listitem", { name });

describe("a meeting from beginning to end", () => {
  let world, browser, ada, grace, link;

  before(async () => {
    [world, browser] = await Promise.all([World.start(), launch()]);
    const permissions = ["clipboard-read", "clipboard-write"];
    ada = await openPage(browser, { tone: { frequency: ADA, gain: 0.1 }, permissions });
    grace = await openPage(browser, { tone: { frequency: GRACE, gain: 0.1 }, locale: "zh-CN" });
  });
  after(async () => {
    await browser?.close();
    await world?.end();
  });

  test("a wrong password is told, in words, and nothing is lost", async () => {
    await ada.goto(world.description.relays[0].url);
    await screenshot(ada, "start-en");
    const form = ada.getByRole("form", { name: "Log in" });
    await form.getByLabel("User name").fill("ada");
    await form.getByLabel("Password").fill("not the password");
    await form.getByRole("button", { name: "Log in" }).click();
    await ada.getByRole("alert").getByText("User name or password is wrong.").waitFor();
    assert.equal(await form.getByLabel("User name").inputValue(), "ada");
  });

  test("somebody logs in, creates a meeting and is in", async () => {
    const { user } = world.description;
    const form = ada.getByRole("form", { name: "Log in" });
    await form.getByLabel("Password").fill(user.password);
    await form.getByRole("button", { name: "Log in" }).click();
    await ada.getByRole("textbox", { name: "Subject" }).fill("Harvest");
    await screenshot(ada, "lobby-en");
    await button(ada, "Create meeting").click();
    await ada.getByRole("img", { name: "QR code of the link" }).waitFor();
    await screenshot(ada, "before-the-meeting-en");
    await button(ada, "Join").click();
    await ada.getByRole("heading", { name: "Harvest" }).waitFor();
    await person(ada, "Office A", /^Ada, you/).waitFor();
    await ada.getByText("You are the only one here").waitFor();
    await screenshot(ada, "alone-en");
  });

  test("the link brings a guest in, behind the other relay", async () => {
    await button(ada, "Invite people").click();
    await button(ada, "Copy link").click();
    await button(ada, "Link copied").waitFor();
    link = await ada.evaluate(() => navigator.clipboard.readText());
    assert.match(link, /#\/m\/\d+\/[A-Za-z0-9_-]{22}$/);
    await screenshot(ada, "share-in-meeting-en");
    await button(ada, "Close").click();

    await grace.goto(`${world.description.relays[1].url}/${new URL(link).hash}`);
    await grace.getByRole("textbox", { name: "您的名字" }).fill("Grace");
    await screenshot(grace, "before-the-meeting-zh-CN");
    await button(grace, "加入").click();
    await grace.getByRole("heading", { name: "Harvest" }).waitFor();
  });

  test("both see each other in groups by relay, and hear each other", async () => {
    await person(ada, "Office B", /^Grace, guest/).waitFor();
    await person(grace, "Office A", /^Ada/).waitFor();
    await person(grace, "Office B", /^Grace, 您/).waitFor();
    await hearsExactly(ada, [GRACE], [ADA, GRACE]);
    await hearsExactly(grace, [ADA], [ADA, GRACE]);
    await person(ada, "Office B", /speaking/).waitFor();
    await screenshot(ada, "meeting-en");
    await screenshot(grace, "meeting-zh-CN");
  });

  test("who mutes is shown as muted, and is not heard", async () => {
    await button(ada, "Mute").click();
    await person(grace, "Office A", /^Ada.*静音/).waitFor();
    await hearsExactly(grace, [], [ADA, GRACE]);
    await button(ada, "Unmute").click();
    await hearsExactly(grace, [ADA], [ADA, GRACE]);
    await person(grace, "Office A", /^Ada(?!.*静音)/).waitFor();
  });

  for (const service of ["relay 0", "mixer", "meeting-registry", "nats"]) {
    test(`${service} is restarted: both hear each other again, without a reload`, async () => {
      for (const page of [ada, grace]) {
        await page.evaluate(() => (window.notReloaded = true));
      }
      await world.tell(`restart ${service}`);
      await Promise.all([
        hearsExactly(ada, [GRACE], [ADA, GRACE], { deadline: 40_000 }),
        hearsExactly(grace, [ADA], [ADA, GRACE], { deadline: 40_000 }),
      ]);
      await person(grace, "Office A", /^Ada/).waitFor();
      for (const page of [ada, grace]) {
        assert.equal(await page.evaluate(() => window.notReloaded), true);
        assert.equal(await page.getByRole("region").getByRole("listitem").count(), 2);
      }
    });
  }

  test("who leaves is gone for the others", async () => {
    await button(grace, "离开").click();
    await grace.getByText("您已离开会议").waitFor();
    await screenshot(grace, "left-zh-CN");
    await ada.getByText("You are the only one here").waitFor();
  });

  test("the organiser ends the meeting, and the link leads nowhere", async () => {
    await act(ada, "Leave or end", "End meeting", "End for everyone");
    await ada.getByText("The meeting is over").waitFor();
    const late = await openPage(browser, { tone: { frequency: 300, gain: 0.1 } });
    await late.goto(link);
    await late.getByRole("textbox", { name: "Your name" }).fill("Late");
    await button(late, "Join").click();
    await late.getByRole("alert").or(late.getByText("The meeting is over")).first().waitFor();
    await screenshot(late, "refused-en");
  });

  test("no page has thrown", () => {
    assert.deepEqual([...ada.errors, ...grace.errors], []);
  });
});

describe("a name that tries to be more than a name", () => {
  let world, browser;

  before(async () => {
    [world, browser] = await Promise.all([World.start("--relay", "Office A"), launch()]);
  });
  after(async () => {
    await browser?.close();
    await world?.end();
  });

  test("is shown as it was written", async () => {
    const { relays, meeting_id } = world.description;
    const name = "<img src=x onerror=alert(1)>";
    const pages = [];
    for (const who of [name, "Grace"]) {
      const page = await openPage(browser, { tone: { frequency: 500, gain: 0 } });
      await joinAsGuest(page, `${relays[0].url}/#/m/${meeting_id}`, who);
      pages.push(page);
    }
    await pages[1].getByText(name).first().waitFor();
    assert.equal(await pages[1].locator("img[src=x]").count(), 0);
  });
});
