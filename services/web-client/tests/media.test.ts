import { describe, expect, it } from "vitest";
import { levelDb, meterValue } from "../src/media/level";
import { SILENT, hear } from "../src/media/voice";

describe("level", () => {
  it("of a full-scale square is 0 dBFS, of a sine 3 dB less, of nothing minus infinity", () => {
    expect(levelDb(new Float32Array(64).fill(1))).toBeCloseTo(0);
    const sine = Float32Array.from({ length: 480 }, (_, i) => Math.sin((2 * Math.PI * i) / 48));
    expect(levelDb(sine)).toBeCloseTo(-3.01, 1);
    expect(levelDb(new Float32Array(64))).toBe(Number.NEGATIVE_INFINITY);
  });

  it("stays on the meter", () => {
    expect(meterValue(Number.NEGATIVE_INFINITY)).toBe(0);
    expect(meterValue(0)).toBe(1);
    expect(meterValue(-35)).toBeCloseTo(0.5);
  });
});

describe("voice", () => {
  it("begins at once and ends only after the hangover", () => {
    const speaking = hear(SILENT, -30, 1000);
    expect(speaking.speaking).toBe(true);
    expect(hear(speaking, -80, 1400).speaking).toBe(true);
    expect(hear(speaking, -80, 1600).speaking).toBe(false);
  });

  it("does not begin at a level at which it would go on", () => {
    expect(hear(SILENT, -48, 0).speaking).toBe(false);
    const speaking = hear(SILENT, -30, 0);
    const quieter = hear(speaking, -48, 900);
    expect(hear(quieter, -80, 1300).speaking).toBe(true);
  });
});
