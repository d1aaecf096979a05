// Starts the demo as a person would, opens the URL that it prints in Chromium, and asks for what the
// demo promises: within 10 seconds of opening the page, a meeting is seen and heard.
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

const folder = mkdtempSync(path.join(tmpdir(), "tributary-demo-"));
const demo = spawn(process.argv[2], ["--folder", folder], { stdio: ["ignore", "pipe", "inherit"] });
const ended = once(demo, "exit");

/** The first address that the demo prints; the rest of its words are passed on. */
const address = new Promise((resolve, reject) => {
  createInterface({ input: demo.stdout }).on("line", (line) => {
    console.log(line);
    const [url] = line.match(/http:\/\/127\.0\.0\.1:\d+\/#\/m\/[\w/-]+/) ?? [];
    if (url) resolve(url);
  });
  ended.then(() => reject(new Error("the demo has ended without printing an address")));
});

async function check() {
  const url = await address;
  const browser = await launch();
  try {
    const page = await openPage(browser, { tone: { frequency: 300, gain: 0 } });
    const begin = Date.now();
    await joinAsGuest(page, url, "Visitor");
    await page.getByRole("listitem", { name: /^Ada/ }).waitFor({ timeout: DEADLINE_MS });
    const people = await page.getByRole("region").getByRole("listitem").count();
    while ((await page.evaluate(() => window.tributaryTest.loudest())) < -60) {
      if (Date.now() - begin > DEADLINE_MS) throw new Error("nothing was heard within 10 s");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    console.log(`saw ${people} people and heard them ${Date.now() - begin} ms after opening the page`);
    await screenshot(page, "demo");
  } finally {
    await browser.close();
  }
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
