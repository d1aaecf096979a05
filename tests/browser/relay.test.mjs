// An edge relay in the user's own network: the page comes from the core, its meeting goes over the relay
// by WebRTC, and on when the core or the relay is gone.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, joinAsGuest, launch, openPage, screenshots } from "./browser.mjs";
import { Line } from "./cut.mjs";
import { button, inRoster, join, logIn, messageField, openChat, openPanel } from "./people.mjs";
import { World } from "./world.mjs";

const OFFICE = "Office C";
const TONES = [440, 622];
/** What it may take until a page that has lost its relay is back over the core. */
const BACK_WITHIN_MS = 20_000;

/** Runs in the page before its own scripts: keeps what is sent over data channels. */
function keepWhatIsSent() {
  window.sentOverChannels = [];
  const { send } = RTCDataChannel.prototype;
  RTCDataChannel.prototype.send = function (data) {
    window.sentOverChannels.push(Array.from(new Uint8Array(data.buffer ?? data)));
    return send.call(this, data);
  };
}

describe("a relay in one's own network", () => {
  let world, browser, line, ada, grace, account;
  /** Of Ada's page to the core. */
  const sockets = new Set();

  before(async () => {
    [world, browser] = await Promise.all([World.start("--edge", OFFICE), launch()]);
    await world.tell("attached 0");
    const { relays, edges, meeting_id, user } = world.description;
    account = user;
    line = await Line.to(relays[0].url);
    grace = await openPage(browser, { tone: { frequency: 622, gain: 0.1 } });
    await joinAsGuest(grace, `${relays[1].url}/#/m/${meeting_id}`, "Grace");
    ada = await openPage(browser, {
      tone: { frequency: 440, gain: 0.1 },
      script: keepWhatIsSent,
    });
    ada.on("websocket", (socket) => {
      if (!socket.url().endsWith("/terminal/v1")) return;
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await logIn(ada, line.url, account);
    await ada.goto(`${line.url}/#/m/${meeting_id}?relay=${edges[0].id}`);
    await join(ada);
    await ada.evaluate(() => (window.notReloaded = true));
  });
  after(async () => {
    line?.close();
    await browser?.close();
    await world?.end();
  });

  const hear = (deadline) =>
    Promise.all([
      hearsExactly(ada, [622], TONES, { deadline }),
      hearsExactly(grace, [440], TONES, { deadline }),
    ]);
  const told = (page) => page.getByRole("status").filter({ hasText: /^Reconnecting… / });
  const through = (page, way) => page.getByRole("status").filter({ hasText: way });
  const group = (page, name) => page.getByRole("region", { name, exact: true });

  test("the page from the core joins through it, hears and is heard", async () => {
    await through(ada, `via ${OFFICE}`).waitFor();
    await hear(20_000);
  });

  test("everybody sees whom it brings, and how far away", async () => {
    for (const page of [ada, grace]) {
      const office = group(page, OFFICE);
      await office.getByRole("listitem", { name: /^Ada/ }).waitFor();
      await office.getByText("level 1").waitFor();
      assert.equal(await office.getByRole("listitem", { name: /^Grace/ }).count(), 0);
    }
    await screenshots(ada, "relay-groups");
  });

  test("the details say who could hear the meeting", async () => {
    const details = await openPanel(ada, "Connection", "Connection details");
    await details.getByText(new RegExp(`^${OFFICE} is a relay in your network.*could hear`)).waitFor();
    await screenshots(ada, "relay-connection");
    await button(ada, "Connection details").click();
  });

  test("neither the password nor the identity has gone over it", async () => {
    const sent = (await ada.evaluate(() => window.sentOverChannels)).map((bytes) =>
      Buffer.from(bytes).toString("latin1"),
    );
    assert.ok(sent.length > 2, "something has gone over the channel");
    const token = await ada.evaluate(() => {
      const kept = [...Object.values(sessionStorage), ...Object.values(localStorage)];
      return kept.map((text) => /"token":"([^"]+)"/.exec(text)?.[1]).find(Boolean);
    });
    assert.ok(token, "the page keeps an identity token");
    for (const message of sent) {
      assert.ok(!message.includes(account.password), "a password for the relay");
      assert.ok(!message.includes(token), "an identity token for the relay");
    }
  });

  test("the meeting goes on when the core can't be reached", async () => {
    assert.ok(sockets.size > 0);
    const closed = Promise.all([...sockets].map((socket) => socket.waitForEvent("close")));
    line.cut();
    await closed;
    await openChat(ada);
    const field = messageField(ada);
    await field.fill("said without the core");
    await field.press("Enter");
    const chat = await openChat(grace);
    await chat.getByText("said without the core").waitFor();
    await button(ada, "Raise hand").click();
    await inRoster(grace, /^Ada.*hand raised, number 1/).waitFor();
    await hear(10_000);
    assert.equal(await told(ada).count(), 0);
    await through(ada, `via ${OFFICE}`).waitFor();
    await screenshots(ada, "relay-without-core");
  });

  test("when the relay is gone too, the others see its people as away, and why", async () => {
    await world.tell("kill edge 0");
    await told(ada).waitFor();
    const why = `connection of ${OFFICE} interrupted`;
    await group(grace, OFFICE).getByText(why).first().waitFor();
    await inRoster(grace, new RegExp(`^Ada.*away, ${why}`)).waitFor();
    await screenshots(grace, "relay-unreachable");
  });

  test("the page falls back to the core by itself", async () => {
    line.mend();
    await through(ada, "directly").waitFor({ timeout: BACK_WITHIN_MS });
    await told(ada).waitFor({ state: "detached" });
    await hear(BACK_WITHIN_MS);
    const { relays } = world.description;
    await group(grace, relays[0].name)
      .getByRole("listitem", { name: /^Ada.*hand/ })
      .waitFor();
    await group(grace, OFFICE).waitFor({ state: "detached" });
    const details = await openPanel(ada, "Connection", "Connection details");
    await details.getByText(/could not be reached from this device/).waitFor();
    await screenshots(ada, "relay-fallen-back");
    assert.equal(await ada.evaluate(() => window.notReloaded), true);
  });

  test("no page has thrown", () => {
    assert.deepEqual([...ada.errors, ...grace.errors], []);
  });
});
