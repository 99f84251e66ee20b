/** Two sides that play: where their pictures come from, in step, until `stop`. */

import type { Comparing, Player, Variant } from "../types";
import type { Choice } from "./choices";
import { Filtering } from "./filtering";
import { INSIDE_SECONDS, Lockstep } from "./lockstep";
import { Capture, type Pair, Pairing, type Picture, type SideIndex } from "./pictures";
import { Second } from "./second";
import type { View } from "./view";

/** Shorter waits are not worth a word. */
const WORD_AFTER_MS = 400;
const TICK_MS = 200;

export class Comparison implements Comparing {
  /** What is on the screen; its images are closed when the next pair comes. */
  pair: Pair | null = null;
  readonly second: Second | null;
  /** Whose variant the player's own video, the one with the sound, is pinned to. */
  readonly leading: SideIndex;
  private readonly pairing: Pairing;
  private readonly filters: [Filtering | null, Filtering | null];
  private readonly captures: Capture[] = [];
  private readonly lockstep: Lockstep | null;
  private readonly timer: number;
  private readonly heard = new AbortController();
  private switching = false;
  /** Whether the viewer went elsewhere since the switch began: the frame on the screen may be of before. */
  private sought = false;
  /** Whether a frame came before it was known to be of the right variant. */
  private missed = false;
  /** Of the frame that the leading video shows. */
  private leadingSeconds: number | null = null;
  private waitingSince: number | null = null;
  private failure: { side: SideIndex; text: string } | null = null;

  constructor(
    private readonly player: Player,
    private readonly view: View,
    private readonly choices: readonly [Choice, Choice],
    private readonly onPair: () => void,
  ) {
    const { video } = player;
    const needsTwo = choices[0].variant.id !== choices[1].variant.id;
    this.leading = choices[1].variant.id === player.currentVariant?.id ? 1 : 0;
    this.pairing = new Pairing(this.tolerance, (pair) => this.show(pair), (side, picture) => this.showAlone(side, picture));
    this.filters = [this.filtering(0), this.filtering(1)];
    this.pin();
    this.second = needsTwo ? this.openSecond() : null;
    this.lockstep = this.second && this.lockTo(this.second);
    this.captures.push(new Capture(video, (frame) => this.takeLeading(frame)));
    if (this.second) this.captures.push(new Capture(this.second.video, (frame) => this.takeFollowing(frame)));
    video.addEventListener("seeking", () => this.forget(), { signal: this.heard.signal });
    this.timer = window.setInterval(() => this.report(), TICK_MS);
    player.second = this.second;
  }

  stop(): void {
    this.player.second = null;
    window.clearInterval(this.timer);
    this.heard.abort();
    for (const capture of this.captures) capture.stop();
    for (const filter of this.filters) filter?.stop();
    this.lockstep?.stop();
    this.second?.destroy();
    this.pairing.clear();
    this.closePair();
    this.view.say(null);
  }

  /** Milliseconds of the GPU for the last frame; null where no side is filtered here. */
  get gpuMilliseconds(): number | null {
    const spent = this.filters.map((filter) => filter?.milliseconds ?? null).filter((value) => value !== null);
    return spent.length ? spent.reduce((sum, value) => sum + value, 0) : null;
  }

  get held(): boolean {
    return this.lockstep?.held ?? false;
  }

  /** The main video keeps this side's variant as long as the comparison lasts. */
  pin(): void {
    const { player, leader } = this;
    const { hls, video } = player;
    if (!hls) return;
    if (player.chosenVariant?.id !== leader.id) player.chooseVariant(leader.id);
    if (this.isPinned()) {
      // A video that is paused keeps its old picture until it seeks.
      if (this.switching && video.paused) video.currentTime = this.sought ? video.currentTime : player.frameTime + INSIDE_SECONDS;
      else if (this.missed) this.captures[0]?.grab();
      this.switching = false;
      this.missed = false;
    } else if (player.currentVariant && !this.switching) {
      this.switching = true;
      this.sought = video.seeking;
      // At once, not from the next segment on.
      hls.currentLevel = leader.index;
    }
  }

  get leader(): Variant {
    return this.choices[this.leading].variant;
  }

  private get following(): SideIndex {
    return this.leading === 0 ? 1 : 0;
  }

  private readonly tolerance = (): number => this.player.frameSeconds / 2;

  private isPinned(): boolean {
    return !this.player.hls || this.player.currentVariant?.id === this.leader.id;
  }

  private openSecond(): Second {
    const { variant } = this.choices[this.following];
    const at = this.player.video.currentTime;
    const second = new Second(this.player, variant, at, (reason) => this.failSecond(reason));
    this.view.backstage.append(second.video);
    return second;
  }

  private lockTo(second: Second): Lockstep {
    return new Lockstep({
      leader: this.player.video,
      follower: second.video,
      offset: () => second.offset,
      tolerance: this.tolerance,
    });
  }

  private filtering(side: SideIndex): Filtering | null {
    const { preset } = this.choices[side];
    if (preset === null) return null;
    return new Filtering({
      preset,
      onPicture: (picture) => this.pairing.offer(side, picture),
      onUnderway: (seconds) => {
        this.pairing.underway[side] = seconds;
      },
      onFailure: (reason) => this.fail(side, reason),
    });
  }

  private takeLeading(frame: VideoFrame): void {
    const seconds = frame.timestamp / 1e6;
    this.leadingSeconds = seconds;
    if (this.lockstep) this.lockstep.leaderSeconds = seconds;
    if (!this.isPinned()) {
      this.missed = true;
      return frame.close();
    }
    if (!this.second) this.feed(this.following, frame.clone(), seconds);
    this.feed(this.leading, frame, seconds);
  }

  private takeFollowing(frame: VideoFrame): void {
    const seconds = frame.timestamp / 1e6;
    if (this.lockstep) this.lockstep.followerSeconds = seconds;
    this.feed(this.following, frame, seconds - (this.second?.offset ?? 0));
  }

  private feed(side: SideIndex, frame: VideoFrame, seconds: number): void {
    const filter = this.filters[side];
    if (filter) filter.feed(frame, seconds);
    else this.pairing.offer(side, { seconds, image: frame });
  }

  private show(pair: Pair): void {
    this.closePair();
    this.pair = pair;
    this.waitingSince = null;
    this.view.draw(pair);
    this.onPair();
  }

  private showAlone(side: SideIndex, picture: Picture): void {
    this.view.drawSide(side, picture);
    picture.image.close();
  }

  private forget(): void {
    this.sought = true;
    this.pairing.clear();
    for (const filter of this.filters) filter?.clear();
  }

  private closePair(): void {
    for (const { image } of this.pair ?? []) image.close();
    this.pair = null;
  }

  private failSecond(reason: string): void {
    this.lockstep?.stop();
    this.fail(this.following, reason);
  }

  private fail(side: SideIndex, reason: string): void {
    this.failure = { side, text: `${this.choices[side].label} cannot be shown. ${reason}` };
    this.pairing.clear();
    this.pairing.alone = side === 0 ? 1 : 0;
    this.report();
  }

  /** Says what is waited for, if it takes long enough to be noticed. */
  private report(): void {
    if (this.missed) this.pin();
    if (this.isOutdated()) for (const capture of this.captures) capture.grab();
    else if (this.isBehind() && !this.player.video.seeking) for (const capture of this.captures) capture.catchUp();
    if (this.failure) return this.view.say(this.failure.text, this.failure.side);
    if (!this.isBehind()) {
      this.waitingSince = null;
      return this.view.say(null);
    }
    this.waitingSince ??= performance.now();
    if (performance.now() - this.waitingSince < WORD_AFTER_MS) return;
    const [text, side] = this.reason();
    this.view.say(text, side);
  }

  private isBehind(): boolean {
    const { video } = this.player;
    if (!this.pair) return true;
    if (this.held) return true;
    return video.paused && !video.seeking && !this.isShown();
  }

  /** Whether the pair on the screen is of the leading video's frame. */
  private isShown(): boolean {
    if (!this.pair || this.leadingSeconds === null) return false;
    return Math.abs(this.pair[this.leading].seconds - this.leadingSeconds) <= this.tolerance();
  }

  /** A seek within one frame brings no new one: whoever stands still is asked again. */
  private isOutdated(): boolean {
    const { video } = this.player;
    if (!video.paused || video.seeking || !this.isPinned() || this.isShown()) return false;
    if (this.pairing.underway.some((seconds) => seconds !== null)) return false;
    return this.lockstep?.settled() ?? true;
  }

  private reason(): [string, SideIndex | null] {
    const { leading, following, choices, second } = this;
    if (!this.isPinned()) {
      return [`Waiting for ${choices[leading].label}…`, leading];
    }
    const fetching = second?.fetching;
    if (!fetching) return [`Waiting for ${choices[following].label}…`, following];
    const seconds = ((performance.now() - fetching.sinceMs) / 1000).toFixed(1);
    const verb = second.variant.madeBy === "server" ? "is being made" : "is being fetched";
    return [`Segment ${fetching.fragment.sn} of ${choices[following].label} ${verb}: ${seconds} s`, following];
  }
}
