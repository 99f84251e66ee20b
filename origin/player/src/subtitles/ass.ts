/** ASS as its author styled it: libass, by JASSUB, on a canvas of the display's resolution. */

import type JASSUB from "jassub";
import type { SubtitleRow } from "../api";
import type { Size } from "../types";

/** For the renderer to load and to read the script. */
const PATIENCE_MS = 30_000;

export interface Script {
  text: string;
  fonts: Uint8Array<ArrayBuffer>[];
  /** Names of the fonts that could not be had. */
  missing: string[];
}

/** Fetches a track's script and its fonts. Throws a sentence if there is no script in it. */
export async function fetchScript({ ass, fonts }: SubtitleRow, signal: AbortSignal): Promise<Script> {
  const [text, ...loaded] = await Promise.all([
    get(ass ?? "", signal).then((response) => response.text()),
    ...fonts.map((font) => fetchFont(font.url, signal)),
  ]);
  if (!/^\s*\[events\]/im.test(text)) throw new Error("the file has no [Events]");
  return {
    text,
    fonts: loaded.filter((font) => font !== null),
    missing: fonts.filter((_, index) => !loaded[index]).map(({ name }) => name),
  };
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response;
}

async function fetchFont(url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return new Uint8Array(await (await get(url, signal)).arrayBuffer());
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

interface Wish {
  time: number;
  /** Whether the canvas must be drawn anew. */
  resized: boolean;
}

export class AssRenderer {
  private wish: Wish | null = null;
  private drawing = false;
  private drawn = false;

  private constructor(
    private readonly jassub: JASSUB,
    private readonly canvas: HTMLCanvasElement,
    private storage: Size,
  ) {}

  /**
   * Puts a canvas into `place`, as large as it. `storage` is the size of the video that the script
   * was written for, in the shape of `place`: libass scales blurs and borders by it. Rejects if the
   * script cannot be read.
   */
  static async start(place: HTMLElement, script: Script, storage: Size): Promise<AssRenderer> {
    const { default: Jassub } = await import("jassub");
    const canvas = document.createElement("canvas");
    canvas.dataset.part = "ass";
    const jassub = new Jassub({ canvas, subContent: script.text, fonts: script.fonts, queryFonts: false });
    place.prepend(canvas);
    // It would clear the canvas and leave it so; `draw` is told of every new size.
    jassub._ro.disconnect();
    const renderer = new AssRenderer(jassub, canvas, storage);
    try {
      const events = await within(PATIENCE_MS, jassub.ready.then(() => jassub.renderer.getEvents()));
      if (!events.length) throw new Error("there is no line in it");
    } catch (error) {
      renderer.destroy();
      throw error;
    }
    return renderer;
  }

  /** `time` is the script's, in seconds. A wish that comes while one is drawn replaces those waiting. */
  draw(time: number): void {
    this.ask({ time, resized: this.wish?.resized ?? false });
  }

  /** After any change of the canvas's size, or of the display's pixels. */
  resize(time: number, storage: Size): void {
    this.storage = storage;
    this.ask({ time, resized: true });
  }

  destroy(): void {
    this.wish = null;
    this.canvas.remove();
    void this.jassub.destroy();
  }

  private ask(wish: Wish): void {
    this.wish = wish;
    if (!this.drawing) void this.work();
  }

  private async work(): Promise<void> {
    this.drawing = true;
    while (this.wish) {
      const { time, resized } = this.wish;
      this.wish = null;
      if (resized && this.drawn) await this.jassub.resize(true);
      const frame = { expectedDisplayTime: performance.now(), mediaTime: time, ...this.storage };
      await this.jassub.manualRender(frame, resized);
      this.drawn = true;
      this.canvas.dataset.drawn = time.toFixed(3);
    }
    this.drawing = false;
  }
}

function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the renderer did not start")), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
