/** One title while it plays: hls.js, or the browser's own HLS where there are no Media Source Extensions. */

import Hls, { type ErrorData, type Fragment } from "hls.js";
import type { Title } from "../api";
import type { Track, Variant } from "../types";
import { variantsOf } from "../variants";
import type { PlayerController, Start } from "./controller";
import { CueStore } from "./cues";
import { editSeconds } from "./edit-list";
import { createEngine } from "./engine";
import { clockOffset } from "./frames";
import { explain, NO_MSE } from "./messages";
import { audioTracksOf, nativeSubtitleTracks, subtitleTextTracks, subtitleTracksOf } from "./tracks";

export interface RecordedError {
  type: string;
  details: string;
  fatal: boolean;
  reason: string;
}

/** A track as it is remembered; no label means none. */
export interface TrackPreference {
  language: string | null;
  label: string | null;
}

const HLS_TYPE = "application/vnd.apple.mpegurl";
/** Timestamps are rounded, to 90 kHz or to microseconds: a time at the start of a frame is that frame's. */
const WITHIN_FRAME_SECONDS = 1e-4;
const { Events, ErrorTypes } = Hls;

export class Session {
  readonly hls: Hls | null;
  variants: Variant[] = [];
  private wantedVariant: string | null;
  /** Captions, or where there is no hls.js any track. */
  private nativeSubtitle: string | null = null;
  private readonly cues: CueStore | null;
  private recovered = false;
  /** From a time since the first frame to the clock of `video`, in seconds. */
  clockOffset = 0;
  private readonly ended = new AbortController();

  constructor(
    private readonly player: PlayerController,
    private readonly title: Title,
    private readonly start: Start,
  ) {
    this.wantedVariant = start.variant ?? null;
    this.hls = Hls.isSupported() ? createEngine(title.id, start.at ?? null) : null;
    this.cues = this.hls && new CueStore(this.hls, () => player.emit("tracks"), () => player.emit("cues"));
    const audio = player.recall<TrackPreference>("audio");
    if (this.hls && audio?.language) this.hls.config.audioPreference = { lang: audio.language, name: audio.label ?? "" };
    if (this.hls) this.listen(this.hls);
  }

  begin(): void {
    if (this.hls) {
      this.hls.loadSource(this.title.url);
      this.hls.attachMedia(this.player.video);
    } else {
      this.beginNatively();
    }
    // A browser that wants a click first shows the paused player.
    if (this.start.play) this.player.video.play().catch(() => undefined);
  }

  destroy(): void {
    this.ended.abort();
    this.hls?.destroy();
    if (!this.hls) this.player.video.removeAttribute("src");
    this.player.video.load();
  }

  get currentVariant(): Variant | null {
    return this.variants[this.hls?.currentLevel ?? -1] ?? null;
  }

  get chosenVariant(): Variant | null {
    return this.variants.find(({ id }) => id === this.wantedVariant) ?? null;
  }

  chooseVariant(id: string | null): void {
    this.wantedVariant = id;
    if (this.hls) this.hls.nextLevel = this.chosenVariant?.index ?? -1;
    this.player.emit("variants");
  }

  get audioTracks(): Track[] {
    return this.hls ? audioTracksOf(this.hls) : [];
  }

  get audioTrack(): Track | null {
    return this.audioTracks[this.hls?.audioTrack ?? -1] ?? null;
  }

  chooseAudio(id: string): void {
    if (this.hls) this.hls.audioTrack = Number(id);
    this.player.emit("tracks");
  }

  get subtitleTracks(): Track[] {
    if (!this.hls) return nativeSubtitleTracks(this.player.video);
    return [...subtitleTracksOf(this.hls, this.title), ...(this.cues?.captions ?? [])];
  }

  get subtitleTrack(): Track | null {
    const chosen = this.nativeSubtitle ?? String(this.hls?.subtitleTrack);
    return this.subtitleTracks.find(({ id }) => id === chosen) ?? null;
  }

  chooseSubtitle(id: string | null): void {
    const rendition = this.hls?.subtitleTracks[Number(id ?? -1)];
    this.nativeSubtitle = rendition ? null : id;
    if (this.hls) {
      this.hls.subtitleTrack = rendition ? Number(id) : -1;
    } else {
      subtitleTextTracks(this.player.video).forEach((track, index) => {
        track.mode = String(index) === id ? "hidden" : "disabled";
      });
    }
    this.player.emit("tracks");
  }

  get subtitleCues(): readonly VTTCue[] {
    const { hls, nativeSubtitle: id } = this;
    if (hls) return this.cues?.of(id ?? hls.subtitleTracks[hls.subtitleTrack]) ?? [];
    return Array.from((id && subtitleTextTracks(this.player.video)[Number(id)]?.cues) || []) as VTTCue[];
  }

  private listen(hls: Hls): void {
    const { player } = this;
    player.log.watch(hls);
    hls.on(Events.MANIFEST_PARSED, () => {
      this.listVariants();
      // Begin with the first variant listed, a source variant that is there at once, and go up behind its buffer.
      hls.startLevel = this.chosenVariant?.index ?? hls.firstLevel;
      if (this.chosenVariant) hls.loadLevel = this.chosenVariant.index;
    });
    hls.on(Events.LEVELS_UPDATED, () => this.listVariants());
    hls.on(Events.LEVEL_SWITCHED, () => player.emit("variant"));
    hls.on(Events.INIT_PTS_FOUND, (_event, { id, frag, initPTS, timescale }) => {
      if (id !== "main" || frag.cc !== 0) return;
      const zero = initPTS / timescale + editSeconds(frag.initSegment?.data);
      this.clockOffset = clockOffset(this.title.start_seconds, zero);
    });
    const { at } = this.start;
    if (at) hls.once(Events.FRAG_BUFFERED, () => (player.video.currentTime = at + this.clockOffset + WITHIN_FRAME_SECONDS));
    hls.once(Events.SUBTITLE_TRACKS_UPDATED, () => this.preferSubtitle());
    for (const event of [
      Events.AUDIO_TRACKS_UPDATED,
      Events.AUDIO_TRACK_SWITCHED,
      Events.SUBTITLE_TRACKS_UPDATED,
      Events.SUBTITLE_TRACK_SWITCH,
    ] as const) {
      hls.on(event, () => player.emit("tracks"));
    }
    hls.on(Events.ERROR, (_event, data) => this.failed(hls, data));
  }

  /** What was last chosen, where this title has it; else what the playlist calls its default. */
  private preferSubtitle(): void {
    const wanted = this.player.recall<TrackPreference>("subtitles");
    if (!wanted) return;
    const same = this.subtitleTracks.filter(({ language }) => language === wanted.language);
    const track = same.find(({ label }) => label === wanted.label) ?? same[0];
    this.chooseSubtitle(wanted.label === null ? null : (track?.id ?? null));
  }

  private listVariants(): void {
    this.variants = variantsOf(this.hls?.levels ?? []);
    this.player.emit("variants");
  }

  private failed(hls: Hls, data: ErrorData): void {
    const { type, details, fatal } = data;
    this.player.errors.push({ type, details, fatal, reason: String(data.reason ?? data.error) });
    if (fatal && type === ErrorTypes.MEDIA_ERROR && !this.recovered) {
      this.recovered = true;
      return hls.recoverMediaError();
    }
    if (fatal && data.frag?.type === "main" && data.frag.sn !== "initSegment") this.skip(hls, data.frag);
    const text = explain(data);
    if (text) this.player.say("playback", text, fatal ? this.retry : undefined);
  }

  private readonly retry = {
    label: "Try again",
    run: () => {
      const { video } = this.player;
      this.player.load(this.title, { at: this.player.titleTime, variant: this.wantedVariant, play: !video.paused });
    },
  };

  /** Plays on behind a segment that no variant has. */
  private skip(hls: Hls, frag: Fragment): void {
    const { video } = this.player;
    const behind = frag.end + 0.05;
    if (behind >= video.duration) return;
    hls.startLoad(behind);
    const jump = () => {
      if (video.readyState > HTMLMediaElement.HAVE_CURRENT_DATA || video.currentTime >= frag.end) return;
      if (video.currentTime > frag.start - 1) video.currentTime = behind;
    };
    video.addEventListener("waiting", jump, { signal: this.ended.signal });
    jump();
  }

  private beginNatively(): void {
    const { video } = this.player;
    if (!video.canPlayType(HLS_TYPE)) return this.player.say("playback", NO_MSE);
    const { signal } = this.ended;
    video.addEventListener("error", () => this.player.say("playback", "The browser could not play this title.", this.retry), { signal });
    video.textTracks.addEventListener("addtrack", () => this.player.emit("tracks"), { signal });
    const { at } = this.start;
    if (at) video.addEventListener("loadedmetadata", () => (video.currentTime = at), { once: true, signal });
    video.src = this.title.url;
  }
}
