/** The borders between the parts of the player. */

import type Hls from "hls.js";
import type { SubtitleRow, Title } from "./api";
import type { FilterOverlay } from "./filter";
import type { SegmentLog } from "./panel/segments";

export interface Size {
  width: number;
  height: number;
}

/** One variant of the title that plays. */
export interface Variant {
  /** STABLE-VARIANT-ID, or one made from its size and rate where the playlist has none. */
  id: string;
  /** In `hls.levels`. */
  index: number;
  width: number;
  height: number;
  /** Bits per second. */
  bitrate: number;
  /** Who upscaled it: nobody, or the origin. */
  madeBy: "source" | "server";
  model: string | null;
  /** For people: `source 480p`, `960p · anime4k-m · server`. */
  label: string;
}

/** An audio or subtitle rendition. */
export interface Track {
  /** Its place in the playlist's order, as text: `0`, `1`, … */
  id: string;
  /** In `hls.audioTracks` or `hls.subtitleTracks`. */
  index: number;
  label: string;
  language: string | null;
  /** What the origin knows of a subtitle track of a media file. */
  row: SubtitleRow | null;
}

/** What the parts of a player see of it. */
export interface Player {
  readonly video: HTMLVideoElement;
  /** Null where the browser plays HLS by itself, and while nothing plays. */
  readonly hls: Hls | null;
  readonly title: Title | null;
  readonly variants: Variant[];
  /** The variant that is on the screen. */
  readonly currentVariant: Variant | null;
  /** What was asked for; null is automatic. */
  readonly chosenVariant: Variant | null;
  /** Null is automatic. */
  chooseVariant(id: string | null): void;
  readonly audioTracks: Track[];
  readonly audioTrack: Track | null;
  chooseAudio(id: string): void;
  readonly subtitleTracks: Track[];
  /** Null is off. The subtitles part draws it. */
  readonly subtitleTrack: Track | null;
  chooseSubtitle(id: string | null): void;
  /** Of the chosen subtitle track, as far as it was fetched, in the order of their start. */
  readonly subtitleCues: readonly VTTCue[];
  /** PTS of the frame on the screen in seconds; where a browser does not tell, the clock. */
  readonly frameTime: number;
  /** Seconds from one frame to the next. */
  readonly frameSeconds: number;
  /**
   * Lies over the video, below the control bar. Layers are absolutely positioned in it, in the order
   * filter, compare, subtitles (`data-layer`), and take no pointer events unless they ask for them.
   */
  readonly layers: HTMLElement;
  /** Under the picture and as wide as the player: for panels. In full screen it is not seen. */
  readonly below: HTMLElement;
  /** Where the picture lies within `layers`, letterboxing taken off, in CSS pixels. */
  readonly pictureBox: DOMRect;
  /**
   * A panel in the settings menu; the part fills `body` with labelled form controls. What it calls
   * with a text shows beside the menu's name (`On · mode A`).
   */
  addMenu(name: string, label: string, body: HTMLElement): (summary: string) => void;
  /**
   * A button in the control bar, or in the settings menu where the bar is narrow. `icon` is the data
   * of a path in a 24×24 box. `aria-pressed` makes it a toggle and shows.
   */
  addButton(name: string, label: string, onClick: () => void, icon?: string): HTMLButtonElement;
  /** A key of the keyboard, listed in the help. `onUp` comes when it is let go. */
  addKey(key: string, label: string, onDown: () => void, onUp?: () => void): void;
  /** A style sheet for what the part puts into the player, whose shadow root no other sheet reaches. */
  addStyles(css: string): void;
  /** A sentence for the viewer; null takes it away. `source` names who speaks. */
  say(source: string, message: string | null): void;
  /** Settings that outlive the page; JSON values under a key per part. */
  remember(key: string, value: unknown): void;
  recall<T>(key: string): T | null;
  /**
   * `title` (another title plays), `variants` (the list, or what is chosen), `variant` (the one on
   * the screen changed), `tracks` (lists and choices), `cues` (there are more), `layout` (pictureBox changed).
   */
  addEventListener(type: PlayerEvent, listener: () => void): void;
  removeEventListener(type: PlayerEvent, listener: () => void): void;
  /** Every segment that was asked for. */
  readonly log: SegmentLog;
  /** Set by the filter that can run over the video. */
  filter?: FilterOverlay | null;
  /** Set by the filter while it runs over the video: milliseconds of the GPU for the last frame. */
  gpuMilliseconds?: (() => number | null) | null;
  /** Set by Compare while it plays two variants: the second of them. */
  second?: SecondPlayback | null;
  /** Set by Compare while it covers the picture, so that a filter below it may rest. */
  comparing?: Comparing | null;
}

export interface Comparing {
  /** Of the filters that run on its sides, for the last frame; null where none does. */
  readonly gpuMilliseconds: number | null;
  /** Whether the video stands still only until the other side is there. */
  readonly held: boolean;
}

export interface SecondPlayback {
  readonly video: HTMLVideoElement;
  readonly hls: Hls;
  readonly variant: Variant;
}

export type PlayerEvent = "title" | "variants" | "variant" | "tracks" | "cues" | "layout";

/** A part of the player that owns a layer, a menu or a panel. */
export interface Part {
  destroy(): void;
}

export type FrameSource = HTMLVideoElement | VideoFrame | ImageBitmap;

export interface FilterSettings {
  /** Id of an entry of `filter/presets.ts`: a mode (`mode-a` … `mode-ca`) or a single net (`upscale-m`). */
  preset: string;
  /** How much of what the network adds is kept: 0 none, 1 as it is, up to 2. */
  strength: number;
  /** Of the output. */
  target: Size;
}

/** Upscales single frames on the GPU. One at a time; `render` calls do not overlap. */
export interface FrameFilter {
  readonly kind: "webgpu" | "webgl2";
  /** What was rendered last, `target` large. */
  readonly canvas: HTMLCanvasElement;
  configure(source: Size, settings: FilterSettings): Promise<void>;
  /** Resolves to the milliseconds the GPU took once the frame is on the canvas. */
  render(frame: FrameSource): Promise<number>;
  /** Resolves, with a reason for people, if the GPU goes away. */
  readonly lost: Promise<string>;
  destroy(): void;
}
