/** Draws cues as elements over the picture, which the browser renders at the display's resolution. */

import { type Area, place, type Rect, spanOf } from "./layout";

/** Of the picture's height, as browsers draw WebVTT; on a small picture at least as many pixels. */
const FONT_OF_HEIGHT = 0.05;
const LEAST_FONT_PX = 14;
const LINE_HEIGHT = 1.3;

export interface Look {
  /** 1 is the usual size. */
  size: number;
  /** Of the picture's height. */
  margin: number;
}

interface Shown {
  element: HTMLElement;
  rect: Rect;
}

export class Screen {
  readonly element = document.createElement("div");
  private readonly shown = new Map<VTTCue, Shown>();
  private look: Look = { size: 1, margin: 0 };
  private covered = 0;

  constructor() {
    this.element.dataset.part = "subtitle-screen";
  }

  /** Lays the screen over `picture`, of whose bottom `covered` pixels lie under controls. */
  fit(picture: DOMRect, covered: number, look: Look): void {
    const { style } = this.element;
    // Whole pixels, so that a canvas in here is not resampled.
    style.left = `${Math.round(picture.x)}px`;
    style.top = `${Math.round(picture.y)}px`;
    style.width = `${Math.round(picture.width)}px`;
    style.height = `${Math.round(picture.height)}px`;
    style.fontSize = `${fontSize(picture.height, look)}px`;
    this.look = look;
    this.covered = covered;
    this.show([...this.shown.keys()], true);
  }

  /** Shows these and no others. A cue that stays keeps its place, unless all are `moved`. */
  show(cues: readonly VTTCue[], moved = false): void {
    for (const [cue, { element }] of this.shown) {
      if (moved || !cues.includes(cue)) {
        element.remove();
        this.shown.delete(cue);
      }
    }
    for (const cue of cues) {
      if (!this.shown.has(cue)) this.shown.set(cue, this.draw(cue));
    }
  }

  shows(cues: readonly VTTCue[]): boolean {
    return cues.length === this.shown.size && cues.every((cue) => this.shown.has(cue));
  }

  private draw(cue: VTTCue): Shown {
    const element = cueElement(cue);
    this.element.append(element);
    const area = this.area();
    const span = spanOf(cue, getComputedStyle(element).direction === "rtl");
    const { style } = element;
    style.textAlign = span.align;
    const [start, size] = cue.vertical ? (["top", "height"] as const) : (["left", "width"] as const);
    style[start] = `${span.start}%`;
    style[size] = `${span.size}%`;
    element.toggleAttribute("data-full", !cue.vertical && span.size === 100);
    const { offsetLeft: left, offsetTop: top, offsetWidth: width, offsetHeight: height } = element;
    const taken = Array.from(this.shown.values(), ({ rect }) => rect);
    const rect = place(cue, { left, top, width, height }, area, taken);
    if (cue.vertical) style.left = `${rect.left}px`;
    else style.top = `${rect.top}px`;
    return { element, rect };
  }

  private area(): Area {
    const { clientWidth: width, clientHeight: height } = this.element;
    const lineHeight = fontSize(height, this.look) * LINE_HEIGHT;
    return { width, height, covered: this.covered, margin: this.look.margin * height, lineHeight };
  }
}

function fontSize(height: number, { size }: Look): number {
  return Math.max(height * FONT_OF_HEIGHT, LEAST_FONT_PX) * size;
}

function cueElement(cue: VTTCue): HTMLElement {
  const text = document.createElement("span");
  text.dataset.part = "cue-text";
  // The browser's own reading of the cue's markup: nodes, never HTML from the file.
  text.append(cue.getCueAsHTML());
  const element = document.createElement("div");
  element.dataset.part = "cue";
  element.dir = "auto";
  if (cue.vertical) element.dataset.vertical = cue.vertical;
  element.append(text);
  return element;
}
