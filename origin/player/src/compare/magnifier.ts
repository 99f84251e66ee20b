/** A lens over the comparison: follows the pointer, or the arrow keys. */

import { make } from "../player/dom";
import type { Pair, Picture, SideIndex } from "./pictures";
import { devicePixels, naturalSize, type View } from "./view";

const LEAST_ZOOM = 2;
const MOST_ZOOM = 8;
const KEY_STEP = 0.02;
/** So that a finger does not cover what it points at. */
const ABOVE_FINGER_PIXELS = 90;

export interface LensSettings {
  zoom: number;
  /** Both sides beside each other, or only the one that lies under the lens. */
  both: boolean;
}

export class Magnifier {
  private readonly lens: HTMLElement;
  private readonly canvas = make("canvas", { "data-part": "compare-lens-canvas", "aria-hidden": "true" });
  private readonly captions = make("span", { class: "lens-captions" });
  private readonly range: HTMLInputElement;
  /** Where it looks, from 0 to 1 across and down the picture. */
  private at = { x: 0.5, y: 0.5 };
  private on = false;

  constructor(
    private readonly view: View,
    private readonly settings: LensSettings,
    private readonly shown: () => Pair | null,
    private readonly onSettings: (settings: LensSettings) => void,
  ) {
    this.lens = make(
      "div",
      {
        class: "lens",
        "data-part": "compare-lens",
        role: "group",
        tabindex: "0",
        "aria-label": "Magnifier: the arrow keys move it, plus and minus zoom",
        hidden: "",
      },
      this.canvas,
      this.captions,
    );
    this.range = make("input", {
      type: "range",
      min: String(LEAST_ZOOM),
      max: String(MOST_ZOOM),
      step: "1",
      "aria-label": "Zoom of the magnifier",
      "data-part": "compare-zoom",
    });
    view.lensSlot.after(this.lens);
    view.lensTools.append(this.range, this.bothBox());
    this.range.addEventListener("input", () => this.zoom(this.range.valueAsNumber));
    this.lens.addEventListener("keydown", (event) => this.steer(event));
    view.lensSlot.addEventListener("pointermove", (event) => this.follow(event));
    view.lensSlot.addEventListener("pointerdown", (event) => this.follow(event));
    view.lensSlot.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    this.zoom(settings.zoom);
  }

  toggle(on: boolean): void {
    this.on = on;
    this.lens.hidden = !on;
    this.draw();
  }

  draw(): void {
    const shown = this.on ? this.shown() : null;
    if (!shown) return;
    const { width, height } = this.view.element.getBoundingClientRect();
    const size = this.lensSize(width, height);
    this.place(size, width, height);
    const sides = this.sides();
    const part = size.width / sides.length;
    const looked = { width: part / width / this.settings.zoom, height: size.height / height / this.settings.zoom };
    const context = this.canvas.getContext("2d");
    if (!context) return;
    sides.forEach((side, index) => {
      const target = new DOMRect(index * part, 0, part, size.height);
      this.drawPart(context, shown[side], looked, target);
    });
    const letters = sides.map((side) => "AB"[side] ?? "").join("");
    const caption = `${letters} ${this.settings.zoom}`;
    if (caption === this.lens.dataset.shows) return;
    this.lens.dataset.shows = caption;
    this.captions.replaceChildren(...[...letters].map((letter) => make("span", {}, `${letter} · ${this.settings.zoom}×`)));
  }

  private sides(): SideIndex[] {
    if (!this.settings.both) return [this.view.sideAt(this.at.x)];
    return this.view.isSwapped ? [1, 0] : [0, 1];
  }

  private lensSize(width: number, height: number): { width: number; height: number } {
    const across = Math.min(this.settings.both ? 420 : 260, width * (this.settings.both ? 0.8 : 0.5));
    return { width: across, height: Math.min(this.settings.both ? across / 2 : across * 0.8, height * 0.6) };
  }

  private place(size: { width: number; height: number }, width: number, height: number): void {
    const left = this.at.x * width - size.width / 2;
    const top = this.at.y * height - size.height / 2;
    const { style } = this.lens;
    style.width = `${size.width}px`;
    style.height = `${size.height}px`;
    style.left = `${Math.max(0, Math.min(width - size.width, left))}px`;
    style.top = `${Math.max(0, Math.min(height - size.height, top))}px`;
    const [across, down] = [devicePixels(size.width), devicePixels(size.height)];
    if (this.canvas.width !== across || this.canvas.height !== down) Object.assign(this.canvas, { width: across, height: down });
  }

  /** `looked` is the size of what is looked at, as parts of the picture; `target` is in CSS pixels. */
  private drawPart(
    context: CanvasRenderingContext2D,
    { image }: Picture,
    looked: { width: number; height: number },
    target: DOMRect,
  ): void {
    const natural = naturalSize(image);
    const x = Math.max(0, Math.min(1 - looked.width, this.at.x - looked.width / 2));
    const y = Math.max(0, Math.min(1 - looked.height, this.at.y - looked.height / 2));
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low";
    context.drawImage(
      image,
      x * natural.width,
      y * natural.height,
      looked.width * natural.width,
      looked.height * natural.height,
      Math.round(target.x * devicePixelRatio),
      0,
      Math.round(target.width * devicePixelRatio),
      this.canvas.height,
    );
  }

  private bothBox(): HTMLElement {
    const box = make("input", { type: "checkbox", "data-part": "compare-lens-both" });
    box.checked = this.settings.both;
    box.addEventListener("change", () => {
      this.settings.both = box.checked;
      this.onSettings(this.settings);
      this.draw();
    });
    return make("label", { class: "both" }, box, "both");
  }

  private zoom(times: number): void {
    this.settings.zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, Math.round(times)));
    this.range.value = String(this.settings.zoom);
    this.range.setAttribute("aria-valuetext", `${this.settings.zoom} times`);
    this.onSettings(this.settings);
    this.draw();
  }

  private look(x: number, y: number): void {
    this.at = { x: Math.max(0, Math.min(1, x)), y: Math.max(0, Math.min(1, y)) };
    this.draw();
  }

  private follow(event: PointerEvent): void {
    const { left, top, width, height } = this.view.element.getBoundingClientRect();
    const above = event.pointerType === "touch" ? ABOVE_FINGER_PIXELS : 0;
    this.look((event.clientX - left) / width, (event.clientY - above - top) / height);
  }

  private roll(event: WheelEvent): void {
    if (!this.on || event.ctrlKey) return;
    event.preventDefault();
    this.zoom(this.settings.zoom - Math.sign(event.deltaY));
  }

  private steer(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = KEY_STEP * (event.shiftKey ? 5 : 1);
    const { x, y } = this.at;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => this.look(x - step, y),
      ArrowRight: () => this.look(x + step, y),
      ArrowUp: () => this.look(x, y - step),
      ArrowDown: () => this.look(x, y + step),
      "+": () => this.zoom(this.settings.zoom + 1),
      "=": () => this.zoom(this.settings.zoom + 1),
      "-": () => this.zoom(this.settings.zoom - 1),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}
