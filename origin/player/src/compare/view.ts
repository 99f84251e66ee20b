/** What of a comparison is on the screen: two canvases, the split between them, names and tools. */

import { icon, make } from "../player/dom";
import { CLOSE } from "../player/icons";
import type { Choice } from "./choices";
import { GRIP, LENS, STILL, SWAP } from "./icons";
import type { Pair, Picture, SideIndex } from "./pictures";

const STEP_PERCENT = 2;
const LETTERS = ["A", "B"] as const;

export interface ViewOptions {
  onChoose: (side: SideIndex, id: string) => void;
  onClose: () => void;
  onStill: (what: "both" | SideIndex) => void;
  onMagnify: (on: boolean) => void;
  /** The split or the sides moved. */
  onChange: () => void;
}

export class View {
  readonly element: HTMLElement;
  readonly canvases: readonly [HTMLCanvasElement, HTMLCanvasElement];
  /** Where the follower's video lives, which must be on the page to present frames. */
  readonly backstage = make("div", { class: "backstage" });
  readonly lensSlot = make("div", { class: "lens-slot" });
  readonly lensTools = make("span", { class: "lens-tools" });
  readonly lensButton: HTMLButtonElement;
  private readonly selects: readonly [HTMLSelectElement, HTMLSelectElement];
  private readonly scales: readonly [HTMLElement, HTMLElement];
  private readonly handle: HTMLElement;
  private readonly note = make("p", { class: "note", role: "status", "data-part": "compare-note", hidden: "" });
  private split = 50;
  private swapped = false;

  constructor(private readonly options: ViewOptions) {
    this.canvases = [canvasOf("a"), canvasOf("b")];
    this.selects = [this.select(0), this.select(1)];
    this.scales = [make("small"), make("small")];
    this.handle = this.makeHandle();
    this.lensButton = this.makeLensButton();
    this.element = make(
      "section",
      { class: "compare", "data-layer": "compare", "data-part": "comparison", "aria-label": "Comparison" },
      this.backstage,
      this.canvases[1],
      this.canvases[0],
      this.lensSlot,
      this.handle,
      make("div", { class: "head" }, this.pill(0), this.tools(), this.pill(1)),
      this.note,
    );
    this.moveSplit(this.split);
  }

  place(box: DOMRect): void {
    const { style } = this.element;
    style.left = `${box.x}px`;
    style.top = `${box.y}px`;
    style.width = `${box.width}px`;
    style.height = `${box.height}px`;
    for (const each of this.canvases) {
      const [width, height] = [devicePixels(box.width), devicePixels(box.height)];
      if (each.width !== width || each.height !== height) Object.assign(each, { width, height });
    }
  }

  /** What the canvases show is no longer what the names say. */
  expire(): void {
    this.element.classList.add("pending");
    for (const each of this.canvases) delete each.dataset.seconds;
  }

  draw([a, b]: Pair): void {
    this.drawSide(0, a);
    this.drawSide(1, b);
  }

  drawSide(side: SideIndex, { image, seconds }: Picture): void {
    this.element.classList.remove("pending");
    const target = this.canvases[side];
    const context = target.getContext("2d");
    if (!context) return;
    context.imageSmoothingEnabled = true;
    // Of the three qualities, `low` is the bilinear one; smaller than the picture, it would alias.
    context.imageSmoothingQuality = naturalSize(image).height > target.height * 1.5 ? "medium" : "low";
    context.drawImage(image, 0, 0, target.width, target.height);
    target.dataset.seconds = seconds.toFixed(6);
    this.scales[side].textContent = `×${(target.height / naturalSize(image).height).toFixed(2)}`;
  }

  showChoices(choices: readonly Choice[], chosen: readonly [Choice, Choice]): void {
    for (const side of [0, 1] as const) {
      const groups = new Map<string, HTMLOptionElement[]>();
      for (const choice of choices) {
        const selected = choice.id === chosen[side].id;
        const group = groups.get(groupOf(choice)) ?? [];
        groups.set(groupOf(choice), [...group, new Option(choice.label, choice.id, selected, selected)]);
      }
      this.selects[side].replaceChildren(
        ...[...groups].map(([label, options]) => make("optgroup", { label }, ...options)),
      );
      this.selects[side].title = chosen[side].label;
    }
    this.describeSplit();
  }

  /** A sentence over the picture, or on one side of it; null takes it away. */
  say(text: string | null, side: SideIndex | null = null): void {
    if (this.note.textContent !== (text ?? "")) this.note.textContent = text;
    this.note.hidden = text === null;
    this.note.dataset.side = side === null ? "" : LETTERS[side];
  }

  /** Shows each side where the other one was. */
  swap(swapped: boolean): void {
    this.swapped = swapped;
    this.element.classList.toggle("swapped", swapped);
    this.describeSplit();
    this.options.onChange();
  }

  get isSwapped(): boolean {
    return this.swapped;
  }

  /** Which side is seen at a place across the picture, 0 to 1. */
  sideAt(across: number): SideIndex {
    return across * 100 < this.split !== this.swapped ? 0 : 1;
  }

  destroy(): void {
    this.element.remove();
    for (const each of this.canvases) Object.assign(each, { width: 0, height: 0 });
  }

  private moveSplit(percent: number): void {
    this.split = Math.min(100, Math.max(0, percent));
    this.element.style.setProperty("--split", `${this.split}%`);
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.split)));
    this.describeSplit();
    this.options.onChange();
  }

  private describeSplit(): void {
    const names = this.selects.map((select) => select.selectedOptions[0]?.text ?? "");
    if (this.swapped) names.reverse();
    const left = Math.round(this.split);
    this.handle.setAttribute("aria-valuetext", `${left} % ${names[0]}, ${100 - left} % ${names[1]}`);
  }

  private makeHandle(): HTMLElement {
    const handle = make(
      "div",
      {
        class: "split",
        "data-part": "compare-split",
        role: "slider",
        tabindex: "0",
        "aria-label": "Split between the two sides",
        "aria-valuemin": "0",
        "aria-valuemax": "100",
      },
      make("span", { class: "grip" }, icon(GRIP)),
    );
    const drag = (event: PointerEvent) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = this.element.getBoundingClientRect();
      this.moveSplit(((event.clientX - left) / width) * 100);
    };
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      event.preventDefault();
    });
    handle.addEventListener("pointermove", drag);
    handle.addEventListener("keydown", (event) => this.steer(event));
    return handle;
  }

  private steer(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 5 * STEP_PERCENT : STEP_PERCENT;
    const moves: Record<string, number> = {
      ArrowLeft: this.split - step,
      ArrowDown: this.split - step,
      ArrowRight: this.split + step,
      ArrowUp: this.split + step,
      PageDown: this.split - 10,
      PageUp: this.split + 10,
      Home: 0,
      End: 100,
    };
    const target = moves[event.key];
    if (target === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.moveSplit(target);
  }

  private select(side: SideIndex): HTMLSelectElement {
    const select = make("select", {
      "data-part": `compare-side-${LETTERS[side].toLowerCase()}`,
      "aria-label": `Side ${LETTERS[side]}`,
    });
    select.addEventListener("change", () => this.options.onChoose(side, select.value));
    return select;
  }

  private pill(side: SideIndex): HTMLElement {
    const letter = make("b", { "aria-hidden": "true" }, LETTERS[side]);
    return make("span", { class: `pill pill-${LETTERS[side].toLowerCase()}` }, letter, this.selects[side], this.scales[side]);
  }

  private tools(): HTMLElement {
    const tools = make("div", { class: "tools", role: "toolbar", "aria-label": "Comparison tools" });
    tools.append(this.swapButton(), this.lensButton, this.lensTools, this.stillMenu(), this.closeButton());
    return tools;
  }

  private swapButton(): HTMLButtonElement {
    const button = tool("swap", "Hold to swap the sides (X)", SWAP);
    const hold = (down: boolean) => {
      if (this.swapped !== down) this.swap(down);
      button.setAttribute("aria-pressed", String(down));
    };
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      hold(true);
    });
    for (const type of ["pointerup", "pointercancel", "blur"]) button.addEventListener(type, () => hold(false));
    button.addEventListener("keydown", ({ key }) => {
      if (key === " " || key === "Enter") hold(true);
    });
    button.addEventListener("keyup", () => hold(false));
    return button;
  }

  private makeLensButton(): HTMLButtonElement {
    const button = tool("magnifier", "Magnifier", LENS);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      this.element.classList.toggle("magnifying", on);
      this.options.onMagnify(on);
    });
    return button;
  }

  private stillMenu(): HTMLElement {
    const button = tool("still", "Save this frame as PNG", STILL);
    const items: [string, "both" | SideIndex][] = [
      ["Both sides, with a caption", "both"],
      ["Side A, full resolution", 0],
      ["Side B, full resolution", 1],
    ];
    const list = make("div", { class: "stills", popover: "auto", role: "group", "aria-label": "Save this frame as PNG" });
    for (const [label, what] of items) {
      const name = what === "both" ? "both" : LETTERS[what].toLowerCase();
      const item = make("button", { type: "button", "data-part": `compare-still-${name}` }, label);
      item.addEventListener("click", () => {
        list.hidePopover();
        this.options.onStill(what);
      });
      list.append(item);
    }
    button.popoverTargetElement = list;
    list.addEventListener("toggle", () => dropBelow(button, list));
    return make("span", {}, button, list);
  }

  private closeButton(): HTMLButtonElement {
    const button = tool("close", "Stop comparing", CLOSE);
    button.addEventListener("click", () => this.options.onClose());
    return button;
  }
}

export function devicePixels(cssPixels: number): number {
  return Math.max(1, Math.round(cssPixels * devicePixelRatio));
}

export function naturalSize(image: VideoFrame | ImageBitmap): { width: number; height: number } {
  return "displayWidth" in image
    ? { width: image.displayWidth, height: image.displayHeight }
    : { width: image.width, height: image.height };
}

function groupOf({ preset, variant }: Choice): string {
  if (preset !== null) return "In this browser";
  return variant.madeBy === "source" ? "Source" : "By the server";
}

function canvasOf(letter: string): HTMLCanvasElement {
  return make("canvas", { class: `side side-${letter}`, "data-part": `compare-canvas-${letter}`, "aria-hidden": "true" });
}

function tool(name: string, label: string, path: string): HTMLButtonElement {
  return make(
    "button",
    { type: "button", class: "tool", "data-part": `compare-${name}`, "aria-label": label, title: label },
    icon(path),
  );
}

/** The top layer knows nothing of where a popover's button is. */
function dropBelow(button: HTMLElement, list: HTMLElement): void {
  const { left, right, bottom } = button.getBoundingClientRect();
  const middle = (left + right - list.offsetWidth) / 2;
  list.style.left = `${Math.max(8, Math.min(innerWidth - list.offsetWidth - 8, middle))}px`;
  list.style.top = `${bottom + 6}px`;
}
