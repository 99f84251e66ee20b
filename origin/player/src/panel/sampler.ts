/** What the player is doing, twice a second. */

import type { Player } from "../types";

export interface Sample {
  atMs: number;
  /** Seconds buffered ahead; of the second variant while two are compared. */
  buffer: number;
  secondBuffer: number | null;
  /** Bits per second, as hls.js estimates. */
  bandwidth: number | null;
  decoded: number;
  dropped: number;
  /** Frames per second since the sample before. */
  frameRate: number | null;
  gpuMilliseconds: number | null;
  height: number | null;
}

const KEPT = 120;

export class Sampler {
  readonly samples: Sample[] = [];
  /** How often the variant on the screen changed. */
  switches = 0;
  private last: string | null = null;

  constructor(private readonly player: Player) {}

  clear(): void {
    this.samples.length = 0;
    this.switches = 0;
    this.last = null;
  }

  take(): Sample {
    const { video, hls, second, comparing } = this.player;
    const quality = video.getVideoPlaybackQuality();
    const sample: Sample = {
      atMs: performance.now(),
      buffer: ahead(video),
      secondBuffer: second ? ahead(second.video) : null,
      bandwidth: hls && Number.isFinite(hls.bandwidthEstimate) ? hls.bandwidthEstimate : null,
      decoded: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      frameRate: null,
      gpuMilliseconds: comparing ? comparing.gpuMilliseconds : (this.player.gpuMilliseconds?.() ?? null),
      height: this.player.currentVariant?.height ?? null,
    };
    sample.frameRate = rate(this.samples.at(-1), sample);
    this.samples.push(sample);
    if (this.samples.length > KEPT) this.samples.shift();
    return sample;
  }

  /** The variant on the screen may be another one. */
  noteVariant(): void {
    const now = this.player.currentVariant?.id ?? null;
    if (now === null) return;
    if (this.last !== null && this.last !== now) this.switches += 1;
    this.last = now;
  }
}

function ahead({ buffered, currentTime }: HTMLVideoElement): number {
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= currentTime + 0.1 && currentTime < buffered.end(index)) {
      return buffered.end(index) - currentTime;
    }
  }
  return 0;
}

function rate(before: Sample | undefined, now: Sample): number | null {
  if (!before || now.decoded < before.decoded) return null;
  const shown = now.decoded - now.dropped - (before.decoded - before.dropped);
  return Math.max(0, shown) / ((now.atMs - before.atMs) / 1000);
}
