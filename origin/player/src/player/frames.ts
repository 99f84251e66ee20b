/** Which frame is on the screen, and how to get to its neighbour. */

const USUAL_FRAME_SECONDS = 1 / 25;

export class FrameClock {
  private mediaTime: number | null = null;
  private handle = 0;

  constructor(private readonly video: HTMLVideoElement) {
    video.addEventListener("emptied", () => (this.mediaTime = null));
    if ("requestVideoFrameCallback" in video) this.listen();
  }

  /** PTS of the frame on the screen in seconds, or the clock where the browser does not tell. */
  get time(): number {
    return this.mediaTime ?? this.video.currentTime;
  }

  /** Goes `count` frames on, or back: to just inside the frame, so that rounding does no harm. */
  step(count: number, frameSeconds: number): void {
    this.video.pause();
    this.video.currentTime = Math.max(0, this.time + (count + 0.25) * frameSeconds);
  }

  destroy(): void {
    if (this.handle) this.video.cancelVideoFrameCallback(this.handle);
  }

  private listen(): void {
    this.handle = this.video.requestVideoFrameCallback((_now, { mediaTime }) => {
      this.mediaTime = mediaTime;
      this.listen();
    });
  }
}

/** Seconds of one frame at a rate such as `24000/1001`, `23.976` or 25. */
export function frameSeconds(rate: string | number | undefined): number {
  const [numerator, denominator = 1] = String(rate ?? "").split("/").map(Number);
  const seconds = denominator / (numerator ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : USUAL_FRAME_SECONDS;
}

/** `t` of a link in milliseconds' precision, never before the frame that it names. */
export function linkTime(seconds: number): string {
  return String(Math.ceil(seconds * 1000 - 1e-6) / 1000);
}

const WRAP_SECONDS = 2 ** 33 / 90_000;
/** More than reordering explains: the player counts from elsewhere. */
const MOST_OFFSET_SECONDS = 5;

/**
 * What to add to a time since the first frame to get the player's clock.
 *
 * hls.js puts the first DTS that it meets at the time that the playlist gives its segment. So the clock
 * is ahead by the reordering of B-frames, and by what EXTINFs have summed up to if playback began in
 * the middle: some frames, and not always the same number of them.
 */
export function clockOffset(firstPts: number | null | undefined, zeroSeconds: number): number {
  if (firstPts === null || firstPts === undefined) return 0;
  const offset = (firstPts - zeroSeconds) % WRAP_SECONDS;
  const nearest = offset - Math.round(offset / WRAP_SECONDS) * WRAP_SECONDS;
  return Math.abs(nearest) < MOST_OFFSET_SECONDS ? nearest : 0;
}
