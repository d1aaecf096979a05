// Starts the demo as a person would, opens the URL that it prints in Chromium, and asks for what the
// demo promises: within 10 seconds of opening the page, a meeting is seen and heard. If it prints a link
// that names a relay, the meeting is also joined over that one, and if it prints the address of a relay's
// status page, that is looked at.
//
//   node demo-check.mjs path/to/demo

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { joinAsGuest, launch, openPage, screenshot } from "./browser.mjs";

const DEADLINE_MS = 10_000;
/** After the first address the others are printed within this time. */
const PRINTED_WITHIN_MS = 2_000;

const folder = mkdtempSync(path.join(tmpdir(), "tributary-demo-"));
const demo = spawn(process.argv[2], ["--folder", folder], { stdio: ["ignore", "pipe", "inherit"] });
const ended = once(demo, "exit");

const patterns = {
  page: /http:\/\/127\.0\.0\.1:\d+\/#\/m\/[\w/-]+(?!\S)/,
  near: /http:\/\/127\.0\.0\.1:\d+\/#\/m\/[\w/-]+\?relay=[\w-]+/,
  status: /http:\/\/127\.0\.0\.1:\d+\/status(?!\S)/,
};
const printed = {};
/** The first address of each kind that the demo prints; its words are passed on. */
const address = new Promise((resolve, reject) => {
  createInterface({ input: demo.stdout }).on("line", (line) => {
    console.log(line);
    for (const [kind, pattern] of Object.entries(patterns)) printed[kind] ??= line.match(pattern)?.[0];
    if (printed.page) resolve(printed.page);
  });
  ended.then(() => reject(new Error("the demo has ended without printing an address")));
});

async function check() {
  const url = await address;
  const browser = await launch();
  try {
    await checkMeeting(browser, url, "Visitor", "demo");
    await new Promise((resolve) => setTimeout(resolve, PRINTED_WITHIN_MS));
    const { near, status } = printed;
    if (near !== undefined) {
      const page = await checkMeeting(browser, near, "Neighbour", "demo-near");
      await page.getByRole("status").filter({ hasText: /via / }).waitFor({ timeout: DEADLINE_MS });
      console.log("the same over a relay nearby");
    }
    if (status !== undefined) {
      const page = await openPage(browser);
      const answer = await page.goto(status);
      if (!answer.ok()) throw new Error(`${status} answers ${answer.status()}`);
      await screenshot(page, "demo-status");
    }
  } finally {
    await browser.close();
  }
}

async function checkMeeting(browser, url, name, picture) {
  const page = await openPage(browser, { tone: { frequency: 300, gain: 0 } });
  const begin = Date.now();
  await joinAsGuest(page, url, name);
  await page.getByRole("listitem", { name: /^Ada/ }).waitFor({ timeout: DEADLINE_MS });
  const people = await page.getByRole("region").getByRole("listitem").count();
  while ((await page.evaluate(() => window.tributaryTest.loudest())) < -60) {
    if (Date.now() - begin > DEADLINE_MS) throw new Error("nothing was heard within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.log(`saw ${people} people and heard them ${Date.now() - begin} ms after opening the page`);
  await screenshot(page, picture);
  return page;
}

try {
  await check();
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  demo.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
