/**
 * Whether the GPU keeps up with the video. Pure: it is told of every frame, and says when to step down
 * or that there is room to step up again. Stepping up needs far more room than staying takes, for longer,
 * and after it failed twice it is left.
 */

const SETTLING_FRAMES = 3;
const DOWN_FRAMES = 12;
const UP_FRAMES = 300;
const MOST_RETURNS = 2;
/** Of the frames that came, how many may be left out because the one before was not done. */
const SKIPPED_SHARE = 0.25;

export type Verdict = "slow" | "roomy" | null;

export interface Measured {
  /** That the GPU took for the frame. */
  milliseconds: number;
  /** From one frame of the video to the next, at the rate it plays at. */
  interval: number;
  /** Frames that were left out since the one before. */
  skipped: number;
}

export class Pace {
  /** Off, nothing is ever slow or roomy. */
  watching = true;
  private frames: Measured[] = [];
  private settling = SETTLING_FRAMES;
  private returns = 0;

  /** `budget` is the share of the interval that may be taken; three tenths of it count as roomy. */
  constructor(public budget = 0.8) {}

  /** Something else runs from now on: its first frames, which compile and allocate, do not count. */
  restart(): void {
    this.frames = [];
    this.settling = SETTLING_FRAMES;
  }

  /** A step up was made. */
  returned(): void {
    this.returns += 1;
    this.restart();
  }

  observe(frame: Measured): Verdict {
    if (this.settling > 0) {
      this.settling -= 1;
      return null;
    }
    this.frames.push(frame);
    if (this.frames.length > UP_FRAMES) this.frames.shift();
    if (!this.watching) return null;
    if (this.isSlow()) return "slow";
    return this.isRoomy() ? "roomy" : null;
  }

  /** Typical milliseconds of the last frames; null while there are too few to tell. */
  get typical(): number | null {
    const last = this.frames.slice(-DOWN_FRAMES);
    return last.length < DOWN_FRAMES ? null : quantile(last.map(({ milliseconds }) => milliseconds), 0.5);
  }

  private isSlow(): boolean {
    const last = this.frames.slice(-DOWN_FRAMES);
    if (last.length < DOWN_FRAMES) return false;
    const skipped = last.reduce((sum, frame) => sum + frame.skipped, 0);
    return quantile(last.map(share), 0.5) > this.budget || skipped / (skipped + last.length) > SKIPPED_SHARE;
  }

  private isRoomy(): boolean {
    if (this.frames.length < UP_FRAMES || this.returns >= MOST_RETURNS) return false;
    return quantile(this.frames.map(share), 0.95) < 0.3 * this.budget;
  }
}

const share = ({ milliseconds, interval }: Measured): number => milliseconds / interval;

function quantile(values: number[], portion: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(portion * (sorted.length - 1))] ?? 0;
}
