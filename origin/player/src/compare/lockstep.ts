/** Keeps a second video at the same frame as the first. */

const TICK_MS = 100;
/** A follower that cannot go on for this long holds the leader. */
const PATIENCE_MS = 200;
const RETRY_MS = 300;
/** Further apart than this, both halt and meet again. */
const LOST_SECONDS = 0.4;
const CLOSE_SECONDS = 0.008;
/** Past the beginning of a frame, so that rounding does no harm. */
export const INSIDE_SECONDS = 0.001;

export interface LockstepOptions {
  leader: HTMLVideoElement;
  follower: HTMLVideoElement;
  /** What the follower's timeline is ahead of the leader's, in seconds. */
  offset: () => number;
  /** Half a frame, in seconds. */
  tolerance: () => number;
}

export class Lockstep {
  /** Times of the frames that were last on each screen, on its own timeline; null: not known yet. */
  leaderSeconds: number | null = null;
  followerSeconds: number | null = null;
  /** Whether the leader is paused only because the follower is not there yet. */
  held = false;
  private unreadySince: number | null = null;
  private settling = { seconds: Number.NaN, at: 0, tries: 0 };
  private readonly timer: number;
  private readonly heard = new AbortController();

  constructor(private readonly options: LockstepOptions) {
    const { leader, follower } = options;
    const { signal } = this.heard;
    leader.addEventListener("seeking", () => this.forget(), { signal });
    for (const type of ["play", "playing", "pause", "waiting", "seeking", "seeked", "ratechange", "ended"]) {
      leader.addEventListener(type, this.step, { signal });
    }
    for (const type of ["canplay", "seeked", "waiting"]) follower.addEventListener(type, this.step, { signal });
    this.timer = window.setInterval(this.step, TICK_MS);
    follower.preservesPitch = false;
  }

  /** Lets the leader go on, if it plays at all. */
  stop(): void {
    window.clearInterval(this.timer);
    this.heard.abort();
    this.release();
  }

  settled(): boolean {
    const { leaderSeconds, followerSeconds } = this;
    if (leaderSeconds === null || followerSeconds === null) return false;
    const error = followerSeconds - this.options.offset() - leaderSeconds;
    return Math.abs(error) <= this.options.tolerance();
  }

  private readonly step = (): void => {
    const { leader, follower } = this.options;
    if (this.held && !leader.paused) leader.pause();
    if (leader.seeking) return this.chase();
    if (leader.paused || leader.ended) {
      this.settle();
      if (this.held && this.ready() && this.settled()) this.release();
    } else if (leader.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) {
      follower.pause();
    } else if (this.ready()) {
      this.unreadySince = null;
      this.follow();
    } else {
      this.unreadySince ??= performance.now();
      if (performance.now() - this.unreadySince > PATIENCE_MS) this.hold();
    }
  };

  private forget(): void {
    this.leaderSeconds = null;
    this.settling.seconds = Number.NaN;
  }

  /** While the viewer drags the seek bar. */
  private chase(): void {
    const { leader, follower, offset } = this.options;
    follower.pause();
    const target = leader.currentTime + offset();
    if (!follower.seeking && Math.abs(follower.currentTime - target) > this.options.tolerance()) {
      follower.currentTime = target;
    }
  }

  /** Brings the follower to the leader's very frame. */
  private settle(): void {
    const { follower, offset, tolerance } = this.options;
    follower.pause();
    const { leaderSeconds, settling } = this;
    if (leaderSeconds === null || this.settled() || follower.seeking) return;
    if (follower.readyState === HTMLMediaElement.HAVE_NOTHING) return;
    if (settling.seconds !== leaderSeconds) this.settling = { seconds: leaderSeconds, at: 0, tries: 0 };
    if (performance.now() - this.settling.at < RETRY_MS) return;
    const inside = this.settling.tries % 2 ? tolerance() : INSIDE_SECONDS;
    follower.currentTime = leaderSeconds + offset() + inside;
    this.settling.at = performance.now();
    this.settling.tries += 1;
  }

  private follow(): void {
    const { leader, follower, offset } = this.options;
    const ahead = follower.currentTime - offset() - leader.currentTime;
    if (Math.abs(ahead) > LOST_SECONDS) return this.hold();
    if (follower.paused) void follower.play().catch(() => undefined);
    const correction = Math.abs(ahead) < CLOSE_SECONDS ? 0 : Math.max(-0.15, Math.min(0.15, -ahead * 2));
    const rate = leader.playbackRate * (1 + correction);
    if (Math.abs(follower.playbackRate - rate) > 0.004) follower.playbackRate = rate;
  }

  private hold(): void {
    this.held = true;
    this.unreadySince = null;
    this.options.leader.pause();
  }

  private release(): void {
    if (!this.held) return;
    this.held = false;
    void this.options.leader.play().catch(() => undefined);
  }

  private ready(): boolean {
    const { follower } = this.options;
    if (follower.seeking) return false;
    const atEnd = follower.duration - follower.currentTime < 0.5;
    return follower.readyState >= (atEnd ? HTMLMediaElement.HAVE_CURRENT_DATA : HTMLMediaElement.HAVE_FUTURE_DATA);
  }
}
