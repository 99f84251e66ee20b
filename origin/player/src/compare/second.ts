/** A second, muted playback of the title, pinned to one variant. */

import Hls, { type ErrorData, type Fragment, type LevelDetails } from "hls.js";
import { createEngine } from "../player/engine";
import { explain } from "../player/messages";
import type { Player, SecondPlayback, Variant } from "../types";

const AHEAD_SECONDS = 12;
/** Two playbacks of one title begin their timelines at most this far apart. */
const MOST_OFFSET_SECONDS = 0.1;

export class Second implements SecondPlayback {
  readonly video = document.createElement("video");
  readonly hls: Hls;
  /**
   * What this timeline is ahead of the first playback's, in seconds. hls.js puts the first segment that
   * it gets at its place in the playlist, and EXTINF is rounded: so two sessions that began with
   * different segments may differ by less than a frame. The same segment tells by how much.
   */
  offset = 0;
  /** The segment that is being fetched, and since when. */
  fetching: { fragment: Fragment; sinceMs: number } | null = null;
  private recovered = false;
  private failed = false;
  /** The last that went wrong. */
  private trouble = "It could not be played.";
  private readonly measure: () => void;

  constructor(
    private readonly player: Player,
    readonly variant: Variant,
    startSeconds: number,
    private readonly onFailure: (reason: string) => void,
  ) {
    const title = player.title;
    if (!title) throw new Error("nothing plays");
    this.video.muted = true;
    this.video.playsInline = true;
    this.video.disableRemotePlayback = true;
    this.video.tabIndex = -1;
    this.video.setAttribute("aria-hidden", "true");
    this.video.dataset.part = "compare-video";
    this.hls = createEngine(title.id, startSeconds);
    Object.assign(this.hls.config, {
      maxBufferLength: AHEAD_SECONDS,
      maxMaxBufferLength: AHEAD_SECONDS,
      backBufferLength: AHEAD_SECONDS,
      enableWebVTT: false,
      enableCEA708Captions: false,
    });
    this.measure = () => this.measureOffset();
    this.listen();
    this.hls.loadSource(title.url);
    this.hls.attachMedia(this.video);
  }

  destroy(): void {
    this.player.hls?.off(Hls.Events.FRAG_BUFFERED, this.measure);
    this.hls.destroy();
    this.video.removeAttribute("src");
    this.video.load();
    this.video.remove();
  }

  private listen(): void {
    const { hls } = this;
    this.player.log.watch(hls, "second");
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      hls.startLevel = this.variant.index;
      hls.loadLevel = this.variant.index;
      hls.subtitleTrack = -1;
    });
    hls.on(Hls.Events.FRAG_LOADING, (_event, { frag }) => {
      if (frag.type === "main") this.fetching = { fragment: frag, sinceMs: performance.now() };
    });
    hls.on(Hls.Events.FRAG_LOADED, () => {
      this.fetching = null;
    });
    // Where a segment cannot be had, hls.js goes on with another variant, which is not what is compared.
    hls.on(Hls.Events.LEVEL_SWITCHING, (_event, { level }) => {
      if (level !== this.variant.index) this.fail(this.trouble);
    });
    hls.on(Hls.Events.FRAG_BUFFERED, this.measure);
    this.player.hls?.on(Hls.Events.FRAG_BUFFERED, this.measure);
    hls.on(Hls.Events.ERROR, (_event, data) => this.cope(data));
  }

  private cope(data: ErrorData): void {
    this.trouble = explain({ ...data, fatal: true } as ErrorData) ?? this.trouble;
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !this.recovered) {
      this.recovered = true;
      this.hls.recoverMediaError();
    } else {
      this.fail(this.trouble);
    }
  }

  private fail(reason: string): void {
    if (this.failed) return;
    this.failed = true;
    // Not from within one of hls.js's own events.
    queueMicrotask(() => {
      this.hls.stopLoad();
      this.onFailure(reason);
    });
  }

  private measureOffset(): void {
    const theirs = this.player.hls?.levels[this.player.hls.currentLevel]?.details;
    const ours = this.hls.levels[this.variant.index]?.details;
    const found = theirs && ours ? timelineOffset(theirs, ours) : null;
    if (found !== null && Math.abs(found) <= MOST_OFFSET_SECONDS) this.offset = found;
  }
}

/** From the last segment of which both know where its video begins. */
function timelineOffset(first: LevelDetails, second: LevelDetails): number | null {
  const starts = new Map(first.fragments.map((fragment) => [fragment.sn, videoStart(fragment)]));
  for (const fragment of [...second.fragments].reverse()) {
    const [one, other] = [starts.get(fragment.sn) ?? null, videoStart(fragment)];
    if (one !== null && other !== null) return other - one;
  }
  return null;
}

function videoStart({ elementaryStreams }: Fragment): number | null {
  return (elementaryStreams.video ?? elementaryStreams.audiovideo)?.startPTS ?? null;
}
