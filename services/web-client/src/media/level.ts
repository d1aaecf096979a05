// How loud the microphone is. The meter and the speaking ring read it; nothing is recorded.

const FLOOR_DB = -60;
const CEILING_DB = -10;

/** RMS level in dBFS of samples in [-1, 1]. */
export function levelDb(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum === 0 ? Number.NEGATIVE_INFINITY : 10 * Math.log10(sum / samples.length);
}

/** A level's place on the meter, 0 to 1. */
export function meterValue(db: number): number {
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}

/** Measures one track. It sees a clone, so that it also hears while the track is muted. */
export class LevelProbe {
  private readonly track: MediaStreamTrack;
  private readonly source: MediaStreamAudioSourceNode;
  private readonly analyser: AnalyserNode;
  private readonly samples: Float32Array<ArrayBuffer>;

  constructor(context: AudioContext, track: MediaStreamTrack) {
    this.track = track.clone();
    this.track.enabled = true;
    this.source = context.createMediaStreamSource(new MediaStream([this.track]));
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source.connect(this.analyser);
  }

  /** dBFS of the last 20 ms. */
  read(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    return levelDb(this.samples);
  }

  close(): void {
    this.source.disconnect();
    this.track.stop();
  }
}
