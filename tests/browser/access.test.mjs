// Who gets into a meeting and how, as people see it in their browsers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { launch, openPage, screenshot } from "./browser.mjs";
import {
  REFUSED,
  button,
  choose,
  createMeeting,
  join,
  logIn,
  openPanel,
  shownLink,
  tryAsGuest,
} from "./people.mjs";
import { World } from "./world.mjs";

/** A meeting id that could be one, of a meeting that there is not. */
const ABSENT = "1234567890123456789";
const LINK = /#\/m\/\d+\/[A-Za-z0-9_-]{22}$/;

let world, browser;
const pages = [];

before(async () => {
  [world, browser] = await Promise.all([World.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await world?.end();
});

async function newPage(options = {}) {
  const page = await openPage(browser, { tone: { frequency: 440, gain: 0 }, ...options });
  pages.push(page);
  return page;
}

async function person(index, relay = 0, options = {}) {
  const page = await newPage(options);
  await logIn(page, world.description.relays[relay].url, world.description.users[index]);
  return page;
}

const relay = (index) => world.description.relays[index].url;
const refusal = (page) => page.getByRole("alert").filter({ hasText: REFUSED });

describe("a link", () => {
  let ada, meetingId, link;

  test("is what lets people in: the id alone does not", async () => {
    ada = await person(0, 0, { permissions: ["clipboard-read", "clipboard-write"] });
    meetingId = await createMeeting(ada, { subject: "Closed circle", shared: false });
    const texts = [];
    for (const id of [meetingId, ABSENT]) {
      const guest = await newPage();
      await tryAsGuest(guest, `${relay(0)}/#/m/${id}`, "Mallory");
      await refusal(guest).waitFor();
      await guest.getByLabel("Meeting password").waitFor();
      texts.push((await guest.locator("main").innerText()).replaceAll(id, "ID"));
    }
    assert.equal(texts[0], texts[1]);
    assert.ok(!texts[0].includes("Closed circle"));
    await screenshot(pages.at(-1), "refused-outsider-en");
  });

  test("is shown with a QR code, and copied", async () => {
    const panel = await openPanel(ada, "Share");
    await panel.getByText("Not shared yet").waitFor();
    await button(panel, "Create link").click();
    const code = panel.getByRole("img", { name: "QR code of the link" });
    await code.waitFor();
    await ada.waitForFunction((image) => image.naturalWidth > 0, await code.elementHandle());
    link = await shownLink(panel);
    assert.match(link, LINK);
    await button(panel, "Copy link").click();
    await button(panel, "Link copied").waitFor();
    assert.equal(await ada.evaluate(() => navigator.clipboard.readText()), link);
    await button(panel, "Copy invitation").click();
    await button(panel, "Invitation copied").waitFor();
    const invitation = await ada.evaluate(() => navigator.clipboard.readText());
    assert.ok(invitation.includes(link) && invitation.includes("Closed circle"));
    const [download] = await Promise.all([
      ada.waitForEvent("download"),
      button(panel, "Download QR code").click(),
    ]);
    const png = await readFile(await download.path());
    assert.deepEqual([...png.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
    await screenshot(ada, "share-en");
  });

  test("brings a guest in, who is still the same after a reload", async () => {
    const guest = await newPage();
    await tryAsGuest(guest, link, "Grace");
    await guest.getByRole("heading", { name: "Closed circle" }).waitFor();
    await guest.getByRole("listitem", { name: /^Grace, you, guest/ }).waitFor();
    await guest.reload();
    await guest.getByText("Joining as Grace").waitFor();
    await join(guest);
    await button(guest, "Leave").click();
  });

  test("works when it is pasted, too", async () => {
    const guest = await newPage();
    await guest.goto(relay(1));
    await guest.getByRole("textbox", { name: "Your name" }).fill("Paste");
    await button(guest, "Enter as guest").click();
    await guest.getByRole("textbox", { name: "Meeting id or link" }).fill(`Come here: ${link}`);
    await button(guest, "Join").click();
    await guest.getByRole("heading", { name: "Closed circle" }).waitFor();
    await join(guest);
    await button(guest, "Leave").click();
  });

  test("lets nobody in any more once it is taken back", async () => {
    const panel = await openPanel(ada, "Share");
    await button(panel, "Take back: Link").click();
    await panel.getByText("The share was taken back.").waitFor();
    for (const index of [0, 1]) {
      const guest = await newPage();
      await tryAsGuest(guest, `${relay(index)}/${new URL(link).hash}`, "Late");
      await refusal(guest).waitFor();
    }
  });
});

describe("a password", () => {
  test("is asked for, told wrong to whom the link was given, and right lets in", async () => {
    const ada = await person(0);
    const meetingId = await createMeeting(ada, { subject: "Secret garden", password: "sesame" });
    const link = await shownLink(await openPanel(ada, "Share"));

    const guest = await newPage();
    await tryAsGuest(guest, link, "Grace");
    await guest.getByRole("alert").getByText("This meeting has a password.").waitFor();
    await guest.getByLabel("Meeting password").fill("guess");
    await button(guest, "Join").click();
    await guest.getByRole("alert").getByText("The meeting password is wrong.").waitFor();
    await screenshot(guest, "wrong-password-en");
    await guest.getByLabel("Meeting password").fill("sesame");
    await button(guest, "Join").click();
    await guest.getByRole("heading", { name: "Secret garden" }).waitFor();

    const scanner = await newPage();
    await tryAsGuest(scanner, `${relay(0)}/#/m/${meetingId}`, "Scanner");
    await refusal(scanner).waitFor();
    await scanner.getByLabel("Meeting password").fill("guess");
    await button(scanner, "Join").click();
    await refusal(scanner).waitFor();
    assert.equal(await scanner.getByText("password is wrong").count(), 0);
  });
});

describe("a member", () => {
  let ada, grace, linus;

  test("is invited when added to a running meeting, and joins with one tap", async () => {
    ada = await person(0);
    grace = await person(1, 1);
    await createMeeting(ada, { subject: "Orchard", shared: false, password: "sesame" });
    await join(ada);

    const typing = grace.getByRole("textbox", { name: "Meeting id or link" });
    await typing.fill("typing");
    const panel = await openPanel(ada, "Members");
    await choose(ada, "Name of a colleague", "gra", "Grace");
    await panel.getByRole("listitem").filter({ hasText: "Grace" }).waitFor();

    const tap = button(grace, "Accept: Orchard");
    await tap.waitFor();
    await grace.getByText("Ada invites you. The meeting is running.").waitFor();
    assert.equal(await typing.evaluate((field) => field === document.activeElement), true);
    await screenshot(grace, "invitation-en");
    await tap.click();
    await grace.getByRole("heading", { name: "Orchard" }).waitFor();
    await grace.getByRole("listitem", { name: /^Grace, you/ }).waitFor();
    await tap.waitFor({ state: "detached" });
    await ada.getByRole("list", { name: "Office B" }).getByRole("listitem", { name: /^Grace/ }).waitFor();
    await screenshot(ada, "members-en");
  });

  test("becomes host, and may then share", async () => {
    const panel = await openPanel(ada, "Members");
    await button(panel, "Make host: Grace").click();
    await button(panel, "Make member: Grace").waitFor();
    const share = await openPanel(grace, "Share");
    await share.getByRole("radio", { name: "Colleagues" }).check();
    linus = await person(2);
    await choose(grace, "Share with", "lin", "Linus");
    await button(share, "Share").click();
    await share.getByText("Shared with 1 person.").waitFor();
    await linus.getByText("Grace shared a meeting with you.").waitFor();
  });

  test("hands files on, and takes them away", async () => {
    const panel = await openPanel(ada, "Files");
    await panel.getByText("No files yet.").waitFor();
    const file = { name: "Agenda – 议程.txt", mimeType: "text/plain", buffer: Buffer.from("1. Apples") };
    await panel.locator("input[type=file]").setInputFiles(file);
    await panel.getByText(`${file.name} was added.`).waitFor();

    const files = await openPanel(grace, "Files");
    const [download] = await Promise.all([
      grace.waitForEvent("download"),
      button(files, `Download ${file.name}`).click(),
    ]);
    assert.equal(await readFile(await download.path(), "utf8"), "1. Apples");
    await button(panel, `Delete ${file.name}`).click();
    await files.getByText("No files yet.").waitFor();
  });

  test("who declines an invitation does not get it again", async () => {
    await button(linus, "Decline: Orchard").click();
    await button(linus, "Accept: Orchard").waitFor({ state: "detached" });
    await linus.reload();
    await linus.getByRole("heading", { name: "Hello, Linus" }).waitFor();
    await linus.getByRole("region", { name: "My meetings" }).getByText("No meetings yet.").waitFor();
    assert.equal(await button(linus, "Accept: Orchard").count(), 0);
  });

  test("who is removed is an outsider again", async () => {
    await button(grace, "Leave").click();
    const panel = await openPanel(ada, "Members");
    await button(panel, "Remove from the members: Grace").click();
    await panel.getByText("Grace was removed.").waitFor();
    await button(grace, "Join again").click();
    await grace.getByLabel("Meeting password").waitFor();
    await button(grace, "Join").click();
    await refusal(grace).waitFor();
  });

  test("is shown by name on a page that has not seen them before", async () => {
    const first = await person(0);
    const id = await createMeeting(first, { subject: "Hedge", shared: false });
    await openPanel(first, "Members");
    await choose(first, "Name of a colleague", "gra", "Grace");
    await first.getByText("Grace was added.").waitFor();
    const fresh = await person(0);
    await fresh.goto(`${relay(0)}/#/m/${id}`);
    await fresh.getByText("Members: Ada and Grace").waitFor();
    const panel = await openPanel(fresh, "Members");
    await panel.getByRole("listitem").filter({ hasText: "Grace" }).waitFor();
  });
});

describe("a scheduled meeting", () => {
  test("is listed, and its members are invited when it begins", async () => {
    const grace = await person(1);
    const { meeting_id } = await world.tell("scheduled Vintage 6 grace");
    await grace.reload();
    const mine = grace.getByRole("region", { name: "My meetings" });
    await mine.getByRole("listitem").filter({ hasText: "Vintage" }).waitFor();
    await button(grace, "Accept: Vintage").click({ timeout: 30_000 });
    await grace.getByRole("heading", { name: "Vintage" }).waitFor();
    assert.equal(new URL(grace.url()).hash, `#/m/${meeting_id}`);
    await grace.getByRole("listitem", { name: /^Grace, you/ }).waitFor();
  });
});

describe("logging out", () => {
  test("forgets who was logged in, for good", async () => {
    const linus = await person(2);
    await linus.reload();
    await linus.getByRole("heading", { name: "Hello, Linus" }).waitFor();
    await button(linus, "Log out").click();
    await button(linus, "Enter as guest").waitFor();
    await linus.reload();
    await button(linus, "Enter as guest").waitFor();
  });
});

test("no page has thrown", () => {
  assert.deepEqual(pages.flatMap((page) => page.errors), []);
});
