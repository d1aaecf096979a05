// Logging in at a real OpenID provider, from a meeting's link and back to it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { createInterface } from "node:readline";
import { launch, openPage, screenshot } from "./browser.mjs";
import { OIDC_PEER, button } from "./people.mjs";
import { World } from "./world.mjs";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

describe("log-in at an OpenID provider", () => {
  let world, browser, provider, page;

  before(async () => {
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    [world, browser] = await Promise.all([
      World.start("--oidc-issuer", issuer, "--no-guests", "--relay", "Office A"),
      launch(),
    ]);
    const redirect = `${world.description.relays[0].url}/`;
    const options = ["--port", String(port), "--redirect-uri", redirect];
    provider = spawn(OIDC_PEER, options, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: provider.stdout }), "line");
    assert.equal(line, issuer);
    page = await openPage(browser, { tone: { frequency: 440, gain: 0 } });
  });
  after(async () => {
    await browser?.close();
    await world?.end();
    provider?.kill();
  });

  test("there is no way in as a guest where guests are switched off", async () => {
    await page.goto(world.description.relays[0].url);
    await button(page, "Log in with Test ID").waitFor();
    assert.equal(await button(page, "Enter as guest").count(), 0);
    await screenshot(page, "oidc-start-en");
  });

  test("who gives up there comes back, is told so, and can try again", async () => {
    await button(page, "Log in with Test ID").click();
    await page.locator("button[name=cancel]").click();
    await page.getByRole("alert").getByText("The log-in was not completed. Try again.").waitFor();
    assert.equal(new URL(page.url()).search, "");
  });

  test("a link leads through the provider back to the meeting", async () => {
    const { link } = await world.tell("meeting Cellar");
    const { hash } = new URL(link);
    await page.goto(`${world.description.relays[0].url}/${hash}`);
    await page.reload();
    await button(page, "Log in with Test ID").click();
    await page.locator("input[name=login]").fill("ada.lovelace");
    await page.locator("button[name=go]").click();
    await page.getByText("Joining as Ada Lovelace").waitFor();
    await page.getByRole("heading", { name: "Cellar" }).waitFor();
    const address = new URL(page.url());
    assert.equal(address.search, "");
    assert.equal(address.hash, hash);
    await button(page, "Join").click();
    await page.getByRole("listitem", { name: /^Ada Lovelace, you/ }).waitFor();
  });

  test("a reload keeps who is logged in", async () => {
    await page.reload();
    await page.getByText("Joining as Ada Lovelace").waitFor();
    assert.deepEqual(page.errors, []);
  });
});
