// An edge relay below another one: the page comes from the core, is introduced to the lower of the two
// through the upper one, and its meeting goes over both, also when the core's page can't be reached.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, joinAsGuest, launch, openPage } from "./browser.mjs";
import { Line } from "./cut.mjs";
import { inRoster, join, logIn, messageField, openChat } from "./people.mjs";
import { World } from "./world.mjs";

const UPPER = "Office C";
const LOWER = "Desk";
const TONES = [440, 622, 784];

describe("a relay below a relay in one's own network", () => {
  let world, browser, line, ada, grace, linus;
  /** Of Ada's page to the core. */
  const sockets = new Set();

  before(async () => {
    const edges = ["--edge", UPPER, "--edge", `${LOWER}@edge 0`];
    [world, browser] = await Promise.all([World.start(...edges), launch()]);
    await world.tell("attached 1");
    const { relays, meeting_id, users } = world.description;
    line = await Line.to(relays[0].url);
    grace = await openPage(browser, { tone: { frequency: 622, gain: 0.1 } });
    await joinAsGuest(grace, `${relays[1].url}/#/m/${meeting_id}`, "Grace");
    linus = await openPage(browser, { tone: { frequency: 784, gain: 0.1 } });
    await logIn(linus, relays[0].url, users[2]);
    await linus.goto(`${relays[0].url}/#/m/${meeting_id}?relay=${id(0)}`);
    await join(linus);
    ada = await openPage(browser, { tone: { frequency: 440, gain: 0.1 } });
    ada.on("websocket", (socket) => {
      if (!socket.url().endsWith("/terminal/v1")) return;
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await logIn(ada, line.url, users[0]);
    await ada.goto(`${line.url}/#/m/${meeting_id}?relay=${id(1)}`);
    await join(ada);
  });
  after(async () => {
    line?.close();
    await browser?.close();
    await world?.end();
  });

  const id = (edge) => world.description.edges[edge].id;
  const hear = (deadline) =>
    Promise.all([
      hearsExactly(ada, [622, 784], TONES, { deadline }),
      hearsExactly(grace, [440, 784], TONES, { deadline }),
      hearsExactly(linus, [440, 622], TONES, { deadline }),
    ]);
  const through = (page, relay) => page.getByRole("status").filter({ hasText: `via ${relay}` });
  const group = (page, name) => page.getByRole("region", { name, exact: true });

  test("pages at each level hear all others and nobody themselves", async () => {
    await through(ada, LOWER).waitFor();
    await through(linus, UPPER).waitFor();
    await hear(20_000);
  });

  test("everybody sees whom each relay brings, and how far away", async () => {
    for (const page of [ada, grace, linus]) {
      for (const [relays, level, name] of [
        [UPPER, 1, /^Linus/],
        [`${UPPER}, ${LOWER}`, 2, /^Ada/],
      ]) {
        const people = group(page, relays);
        await people.getByRole("listitem", { name }).waitFor();
        await people.getByText(`level ${level}`).waitFor();
      }
    }
  });

  test("the meeting goes on over both when the core's page can't be reached", async () => {
    assert.ok(sockets.size > 0);
    const closed = Promise.all([...sockets].map((socket) => socket.waitForEvent("close")));
    line.cut();
    await closed;
    await openChat(ada);
    const field = messageField(ada);
    await field.fill("said from the desk");
    await field.press("Enter");
    for (const page of [grace, linus]) {
      const chat = await openChat(page);
      await chat.getByText("said from the desk").waitFor();
    }
    await hear(10_000);
    await through(ada, LOWER).waitFor();
  });

  test("and is the same stay when the relay between comes back", async () => {
    await world.tell("freeze edge 0");
    // Long enough for the relays on both sides to give it up.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await world.tell("thaw edge 0");
    await world.tell("attached 1");
    await hear(20_000);
    await through(ada, LOWER).waitFor();
    await inRoster(grace, /^Ada/).waitFor();
    const status = await world.tell("status 1");
    assert.ok(status.resumed >= 1, JSON.stringify(status));
  });

  test("who is cut off is told so, and goes over the core when nobody holds the place any more", async () => {
    line.mend();
    await world.tell("kill edge 0");
    const banner = ada
      .getByRole("status")
      .filter({ hasText: `You hear only the people behind` });
    await banner.waitFor();
    const field = messageField(ada);
    await field.fill("done while cut off");
    await field.press("Enter");
    await ada.getByRole("status").filter({ hasText: "directly" }).waitFor({ timeout: 60_000 });
    await banner.waitFor({ state: "detached" });
    const chat = await openChat(grace);
    await chat.getByText("done while cut off").waitFor();
    await hear(20_000);
    assert.equal(await grace.getByRole("log").getByText("done while cut off").count(), 1);
  });

  test("no page has thrown", () => {
    assert.deepEqual([...ada.errors, ...grace.errors, ...linus.errors], []);
  });
});
