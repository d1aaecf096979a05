// People in real browsers behind two relays hear everybody but themselves.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hearsExactly, joinAsGuest, launch, openPage } from "./browser.mjs";
import { World } from "./world.mjs";

/** Frequencies of the four, three behind the first relay and one behind the second. */
const TONES = [440, 622, 880, 1244];
const RELAYS = [0, 0, 0, 1];

async function join(browser, world, index, gain) {
  const frequency = TONES[index];
  const page = await openPage(browser, { tone: { frequency, gain } });
  const { relays, meeting_id } = world.description;
  await joinAsGuest(page, `${relays[RELAYS[index]].url}/#/m/${meeting_id}`, `${frequency} Hz`);
  return page;
}

describe("four people behind two relays", () => {
  for (const [name, options, gain] of [
    ["all speaking at once, four voices allowed", ["--voices-max", "4"], 0.1],
    ["speaking in turns, with the default number of voices", [], 0],
  ]) {
    describe(name, () => {
      let world, browser, pages;

      before(async () => {
        [world, browser] = await Promise.all([World.start(...options), launch()]);
        pages = [];
        for (const index of TONES.keys()) pages.push(await join(browser, world, index, gain));
      });
      after(async () => {
        await browser?.close();
        await world?.end();
      });

      test("each page hears every other tone and not its own", async () => {
        if (gain > 0) {
          await Promise.all(
            pages.map((page, own) =>
              hearsExactly(page, TONES.filter((_, index) => index !== own), TONES),
            ),
          );
          return;
        }
        for (const [speaker, page] of pages.entries()) {
          await page.evaluate(() => window.tributaryTest.setGain(0.1));
          await Promise.all(
            pages.map((page, own) =>
              hearsExactly(page, own === speaker ? [] : [TONES[speaker]], TONES),
            ),
          );
          await page.evaluate(() => window.tributaryTest.setGain(0));
          await Promise.all(pages.map((page) => hearsExactly(page, [], TONES)));
        }
      });

      test("no page has thrown", () => {
        assert.deepEqual(pages.flatMap((page) => page.errors), []);
      });
    });
  }
});
