/** The borders between the parts of the player. */

import type Hls from "hls.js";
import type { Title } from "./api";

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

/** What the parts of a player see of it. */
export interface Player {
  readonly video: HTMLVideoElement;
  /** Null where the browser plays HLS by itself, and while nothing plays. */
  readonly hls: Hls | null;
  readonly title: Title | null;
  readonly variants: Variant[];
  /** The variant that is on the screen. */
  readonly currentVariant: Variant | null;
  /** Null is automatic. */
  chooseVariant(id: string | null): void;
  /**
   * Lies over the video, below the control bar. Layers are absolutely positioned in it, in the order
   * filter, compare, subtitles (`data-layer`), and take no pointer events unless they ask for them.
   */
  readonly layers: HTMLElement;
  /** Where the picture lies within `layers`, letterboxing taken off, in CSS pixels. */
  readonly pictureBox: DOMRect;
  /** A panel in the settings menu; the part fills `body` with labelled form controls. */
  addMenu(name: string, label: string, body: HTMLElement): void;
  /** A button in the control bar. */
  addButton(name: string, label: string, onClick: () => void): HTMLButtonElement;
  /** A sentence for the viewer; null takes it away. `source` names who speaks. */
  say(source: string, message: string | null): void;
  /** Settings that outlive the page; JSON values under a key per part. */
  remember(key: string, value: unknown): void;
  recall<T>(key: string): T | null;
  /**
   * `title` (another title plays), `variants`, `variant` (the one on the screen changed), `tracks`,
   * `layout` (pictureBox changed).
   */
  addEventListener(type: PlayerEvent, listener: () => void): void;
  removeEventListener(type: PlayerEvent, listener: () => void): void;
}

export type PlayerEvent = "title" | "variants" | "variant" | "tracks" | "layout";

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
