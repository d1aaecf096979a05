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

/** A page of its own: nothing is shared with other pages. */
export async function openPage(browser, { tone, locale = "en-US", permissions = [] } = {}) {
  const context = await browser.newContext({
    locale,
    permissions: ["microphone", "camera", ...permissions],
    viewport: { width: 1280, height: 800 },
  });
  await context.addInitScript(instrument, tone ?? null);
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  return page;
}

/** Runs in the page, before its own scripts: the microphone is a tone, and received tracks are kept. */
function instrument(tone) {
  const received = [];
  let ears;
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

  const listen = async () => {
    const track = received.filter((track) => track.readyState === "live").at(-1);
    if (track === undefined) return undefined;
    if (ears?.track !== track) {
      ears?.context.close();
      const context = new AudioContext({ sampleRate: 48000 });
      const source = new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) });
      const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
      source.connect(analyser);
      await context.resume();
      ears = { track, context, analyser };
    }
    return ears.analyser;
  };

  window.tributaryTest = {
    /** Level of the loudest frequency in what is heard at this moment, in dB full scale. */
    async loudest() {
      const analyser = await listen();
      if (analyser === undefined) return -200;
      const spectrum = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(spectrum);
      return Math.max(...spectrum, -200);
    },
    /** How loud the own tone is from now on, 0 to 1. */
    setGain(value) {
      tone.gain = value;
      if (gain) gain.gain.value = value;
    },
    /** Level of each frequency in dB full scale in what is heard at this moment. */
    async levels(frequencies) {
      const analyser = await listen();
      if (analyser === undefined) return frequencies.map(() => -200);
      const spectrum = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(spectrum);
      const width = 48000 / analyser.fftSize;
      return frequencies.map((frequency) => {
        const bin = Math.round(frequency / width);
        return Math.max(...spectrum.subarray(bin - 1, bin + 2), -200);
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
  await page.getByRole("button", { name: "Leave" }).waitFor();
}

export async function screenshot(page, name) {
  mkdirSync(artefacts, { recursive: true });
  await page.screenshot({ path: path.join(artefacts, `${name}.png`) });
}
