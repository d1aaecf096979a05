// Headless Chromium whose microphone is a tone, and which tells what tones it hears.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const artefacts = path.resolve(import.meta.dirname, "../artefacts");

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    // Chromium refuses to be sandboxed as root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      // For machines that have no network but loopback.
      "--allow-loopback-in-peer-connection",
    ],
  });
}

/** A page of its own: nothing is shared with other pages. `script` runs before those of the page. */
export async function openPage(browser, options = {}) {
  const { tone, locale = "en-US", permissions = [], viewport, script } = options;
  const context = await browser.newContext({
    locale,
    permissions: ["microphone", "camera", ...permissions],
    viewport: viewport ?? { width: 1280, height: 800 },
  });
  await context.addInitScript(instrument, tone ?? null);
  if (script !== undefined) await context.addInitScript(script);
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  return page;
}

/**
 * Runs in the page, before its own scripts: the microphone is a tone, and what is received is kept.
 * A connection has up to three tracks: the meeting, and two for private talk.
 */
function instrument(tone) {
  const FFT_SIZE = 8192;
  const received = [];
  const ears = new Map();
  let listening;
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...args) {
      super(...args);
      this.addEventListener("track", (event) => received.push(event.track));
    }
  };

  let gain;
  if (tone !== null) {
    navigator.mediaDevices.getUserMedia = async () => {
      const context = new AudioContext({ sampleRate: 48000 });
      const oscillator = new OscillatorNode(context, { frequency: tone.frequency });
      gain = new GainNode(context, { gain: tone.gain });
      const microphone = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
      oscillator.connect(gain).connect(microphone);
      oscillator.start();
      await context.resume();
      return microphone.stream;
    };
  }

  const earsOn = (track) => {
    if (!ears.has(track)) {
      const source = new MediaStreamAudioSourceNode(listening, {
        mediaStream: new MediaStream([track]),
      });
      const analyser = new AnalyserNode(listening, { fftSize: FFT_SIZE, smoothingTimeConstant: 0 });
      source.connect(analyser);
      ears.set(track, { source, analyser });
    }
    return ears.get(track).analyser;
  };

  /** The loudest of all that is heard at this moment, per bin, in dB full scale. */
  const spectrum = async () => {
    listening ??= new AudioContext({ sampleRate: 48000 });
    await listening.resume();
    const live = received.filter((track) => track.readyState === "live");
    for (const [track, { source }] of ears) {
      if (live.includes(track)) continue;
      source.disconnect();
      ears.delete(track);
    }
    const analysers = live.map(earsOn);
    const loudest = new Float32Array(FFT_SIZE / 2).fill(-200);
    for (const analyser of analysers) {
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      for (const [index, level] of bins.entries()) {
        loudest[index] = Math.max(loudest[index], level);
      }
    }
    return loudest;
  };

  window.tributaryTest = {
    /** Level of the loudest frequency in what is heard at this moment, in dB full scale. */
    async loudest() {
      return Math.max(...(await spectrum()));
    },
    /** How loud the own tone is from now on, 0 to 1. */
    setGain(value) {
      tone.gain = value;
      if (gain) gain.gain.value = value;
    },
    /** Level of each frequency in dB full scale in what is heard at this moment. */
    async levels(frequencies) {
      const bins = await spectrum();
      const width = 48000 / FFT_SIZE;
      return frequencies.map((frequency) => {
        const bin = Math.round(frequency / width);
        return Math.max(...bins.subarray(bin - 1, bin + 2));
      });
    },
  };
}

/**
 * Waits until the page hears exactly the tones `expected` of `all`, five looks in a row: each of
 * them, and every other one 20 dB weaker than the weakest of them at least.
 */
export async function hearsExactly(page, expected, all, { deadline = 20_000 } = {}) {
  const begin = Date.now();
  let good = 0;
  let last;
  while (good < 5) {
    if (Date.now() - begin > deadline) {
      throw new Error(`expected to hear ${expected} of ${all} Hz; heard ${last} dB`);
    }
    const levels = await page.evaluate((tones) => window.tributaryTest.levels(tones), all);
    last = levels.map((level) => level.toFixed(0));
    good = isExactly(levels, expected, all) ? good + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const HEARD_DB = -50;
const APART_DB = 20;

function isExactly(levels, expected, all) {
  const of = (wanted) => levels.filter((_, index) => expected.includes(all[index]) === wanted);
  const floor = Math.min(...of(true), HEARD_DB + APART_DB);
  return of(true).every((level) => level >= HEARD_DB) && of(false).every((level) => level <= floor - APART_DB);
}

/** Enters a meeting as a guest, by its link. */
export async function joinAsGuest(page, link, name) {
  await page.goto(link);
  await page.getByRole("textbox", { name: "Your name" }).fill(name);
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await page.getByRole("button", { name: "Leave", exact: true }).waitFor();
}

export async function screenshot(page, name) {
  mkdirSync(artefacts, { recursive: true });
  await page.screenshot({ path: path.join(artefacts, `${name}.png`) });
}

/** A picture in each language, of the page as it is; nothing on it loses the focus. */
export async function screenshots(page, name) {
  const before = await page.evaluate(() => document.documentElement.lang);
  for (const language of ["en", "zh-CN"]) {
    await setLanguage(page, language);
    await screenshot(page, `${name}-${language}`);
  }
  await setLanguage(page, before);
}

async function setLanguage(page, language) {
  const select = page.locator(".language-switch select");
  await select.evaluate((element, value) => {
    element.value = value;
    element.dispatchEvent(new Event("change", { bubbles: true }));
  }, language);
  await page.waitForFunction((value) => document.documentElement.lang === value, language);
}
