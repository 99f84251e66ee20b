/** Subtitles, drawn above the picture at the display's resolution. */

import type Hls from "hls.js";
import type { SubtitleRow } from "../api";
import type { Part, Player, Size } from "../types";
import { AssRenderer, fetchScript } from "./ass";
import { StyleMenu } from "./menu";
import { Screen } from "./screen";
import { cuesAt } from "./cues";
import { apply, complete, type SubtitleStyle } from "./style";
import css from "./subtitles.css?inline";
import { watchTroubles } from "./troubles";

/** Of the style in memory, and of the menu. */
const KEY = "subtitle-style";
const SAMPLE_MS = 3_000;
const SAMPLE = "This is how subtitles look.";

export class Subtitles implements Part {
  private readonly layer = document.createElement("div");
  private readonly floor = document.createElement("div");
  private readonly screen = new Screen();
  private readonly menu = new StyleMenu((changed) => this.restyle(changed));
  private readonly summarise: (summary: string) => void;
  private readonly resized = new ResizeObserver(() => this.fit());
  private style: SubtitleStyle;
  private frameHandle = 0;
  private sample: VTTCue | null = null;
  private sampleTimer: ReturnType<typeof setTimeout> | undefined;
  private ass: AssRenderer | null = null;
  private assRow: SubtitleRow | null = null;
  private assLoading = new AbortController();
  private hls: Hls | null = null;
  private trackId: string | null = null;
  private unwatch = (): void => undefined;

  constructor(private readonly player: Player) {
    this.style = complete(player.recall(KEY));
    this.layer.dataset.layer = "subtitles";
    this.floor.dataset.part = "subtitle-floor";
    this.layer.append(this.floor, this.screen.element);
    player.addStyles(css);
    player.layers.append(this.layer);
    this.summarise = player.addMenu(KEY, "Subtitle style", this.menu.body);
    player.addEventListener("title", this.refresh);
    player.addEventListener("tracks", this.refresh);
    player.addEventListener("cues", this.tick);
    player.addEventListener("layout", this.fit);
    for (const event of ["timeupdate", "seeked", "emptied"]) player.video.addEventListener(event, this.tick);
    this.observe();
    this.showStyle();
    this.refresh();
    this.nextFrame();
  }

  destroy(): void {
    const { player } = this;
    player.removeEventListener("title", this.refresh);
    player.removeEventListener("tracks", this.refresh);
    player.removeEventListener("cues", this.tick);
    player.removeEventListener("layout", this.fit);
    for (const event of ["timeupdate", "seeked", "emptied"]) player.video.removeEventListener(event, this.tick);
    if (this.frameHandle) player.video.cancelVideoFrameCallback(this.frameHandle);
    clearTimeout(this.sampleTimer);
    this.resized.disconnect();
    this.unwatch();
    this.stopAss();
    this.layer.remove();
  }

  /** The floor's height follows the controls; the other box also tells of another pixel ratio. */
  private observe(): void {
    this.resized.observe(this.floor);
    try {
      this.resized.observe(this.screen.element, { box: "device-pixel-content-box" });
    } catch {
      this.resized.observe(this.screen.element);
    }
  }

  private nextFrame(): void {
    if (!("requestVideoFrameCallback" in this.player.video)) return;
    this.frameHandle = this.player.video.requestVideoFrameCallback((_now, { mediaTime }) => {
      this.draw(mediaTime);
      this.nextFrame();
    });
  }

  private readonly tick = (): void => this.draw(this.player.frameTime);

  private draw(mediaTime: number): void {
    const time = mediaTime - this.style.delaySeconds;
    this.ass?.draw(this.scriptTime(mediaTime));
    const cues = this.ass ? [] : cuesAt(this.player.subtitleCues, time);
    if (!cues.length && this.sample) cues.push(this.sample);
    if (!this.screen.shows(cues)) this.screen.show(cues);
  }

  private readonly fit = (): void => {
    const { player, style } = this;
    const picture = player.pictureBox;
    const below = player.layers.clientHeight - picture.bottom;
    this.screen.fit(picture, Math.max(0, this.floor.clientHeight - below), style);
    this.ass?.resize(this.scriptTime(player.frameTime), this.storageSize());
  };

  /** The title's timeline may be the file's, shifted; scripts are as in the file. */
  private scriptTime(mediaTime: number): number {
    return mediaTime - this.style.delaySeconds - (this.player.title?.ass_offset_seconds ?? 0);
  }

  private readonly refresh = (): void => {
    const { hls, subtitleTrack } = this.player;
    if (hls !== this.hls) this.listen(hls);
    if (subtitleTrack && subtitleTrack.id !== this.trackId) this.say(null);
    this.trackId = subtitleTrack?.id ?? null;
    // Fonts for Chinese and Japanese differ.
    this.screen.element.lang = subtitleTrack?.language ?? "";
    const row = subtitleTrack?.row ?? null;
    const wanted = this.style.asAuthored && row?.ass ? row : null;
    if (wanted !== this.assRow) void this.startAss(wanted);
    this.fit();
    this.tick();
  };

  private listen(hls: Hls | null): void {
    this.unwatch();
    this.hls = hls;
    this.unwatch = hls ? watchTroubles(this.player, hls, this.say) : () => undefined;
  }

  private readonly say = (message: string | null): void => this.player.say("subtitles", message);

  /** Until it runs, and where it does not, the WebVTT rendition of the same track is shown. */
  private async startAss(row: SubtitleRow | null): Promise<void> {
    this.stopAss();
    this.assRow = row;
    if (!row) return;
    const { signal } = this.assLoading;
    try {
      const script = await fetchScript(row, signal);
      if (signal.aborted) return;
      const renderer = await AssRenderer.start(this.screen.element, script, this.storageSize());
      if (signal.aborted) return renderer.destroy();
      this.ass = renderer;
      this.fit();
      this.tick();
      if (script.missing.length) this.say(missingFonts(script.missing));
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.say(`The styled subtitles “${row.name}” cannot be drawn (${reason}). They are shown as plain text.`);
    }
  }

  private stopAss(): void {
    this.assLoading.abort();
    this.assLoading = new AbortController();
    this.ass?.destroy();
    this.ass = null;
    this.assRow = null;
  }

  /** The source's, whichever variant plays, with square pixels. */
  private storageSize(): Size {
    const { clientWidth, clientHeight } = this.screen.element;
    const height = (this.player.title?.source?.height ?? this.player.video.videoHeight) || 1;
    return { width: Math.round((height * clientWidth) / clientHeight) || 1, height };
  }

  private restyle(changed: Partial<SubtitleStyle>): void {
    this.style = { ...this.style, ...changed };
    this.player.remember(KEY, this.style);
    this.showStyle();
    this.showSample();
    this.refresh();
  }

  private showStyle(): void {
    apply(this.style, this.layer);
    this.menu.set(this.style);
    this.summarise(this.style.asAuthored ? "As authored" : "Plain text");
  }

  /** For a moment, where no cue shows what the setting does. */
  private showSample(): void {
    this.sample ??= new VTTCue(0, 1, SAMPLE);
    clearTimeout(this.sampleTimer);
    this.sampleTimer = setTimeout(() => {
      this.sample = null;
      this.tick();
    }, SAMPLE_MS);
  }
}

function missingFonts(names: readonly string[]): string {
  return `The subtitles are drawn in another font: ${names.join(", ")} could not be fetched.`;
}
