/** The settings: a list of panels, and the panel that was opened. */

import { icon, make } from "./dom";
import { BACK } from "./icons";
import type { Shell } from "./shell";

/** Wider players have the menu in their corner, narrower ones as a sheet at the bottom of the window. */
const NARROW = 560;

/** What gets the focus when a panel opens, the best first. */
const FIRST = ["input:checked", ".row:not([hidden])", "input:enabled, select:enabled", "button"];

const LAST = "keys";

interface Panel {
  row: HTMLButtonElement;
  summary: HTMLElement;
  section: HTMLElement;
}

export class Menu {
  private readonly panels = new Map<string, Panel>();
  private readonly list = make("div", { class: "panel", "data-part": "menu-list" });
  private readonly rows = make("div", { class: "rows" });
  /** Which panel opens next; null is the list. */
  private wanted: string | null = null;

  constructor(private readonly shell: Shell) {
    const { menu, settingsButton } = shell;
    this.list.append(make("h2", {}, "Settings"), this.rows);
    menu.append(this.list);
    this.opens(settingsButton, null);
    menu.addEventListener("toggle", (event) => this.toggled((event as ToggleEvent).newState === "open"));
    menu.addEventListener("keydown", (event) => this.move(event));
    for (const type of ["resize", "scroll"]) window.addEventListener(type, this.place, { passive: true });
  }

  destroy(): void {
    for (const type of ["resize", "scroll"]) window.removeEventListener(type, this.place);
  }

  get isNarrow(): boolean {
    return this.shell.frame.clientWidth < NARROW;
  }

  /** Makes `button` open the menu at a panel. */
  opens(button: HTMLButtonElement, name: string | null): void {
    button.popoverTargetElement = this.shell.menu;
    button.addEventListener("click", () => (this.wanted = name));
  }

  /** What it returns sets the text beside the panel's name. */
  add(name: string, label: string, body: HTMLElement): (summary: string) => void {
    const summary = make("small");
    const row = make("button", { type: "button", class: "row", "data-menu": name }, make("span", {}, label), summary);
    const back = make("button", { type: "button", class: "button", "aria-label": "Back to all settings" });
    back.append(icon(BACK));
    const heading = make("header", {}, back, make("h2", {}, label));
    const section = make("section", { class: "panel", "data-part": `menu-${name}`, "aria-label": label }, heading, body);
    section.hidden = true;
    row.addEventListener("click", () => this.show(name));
    back.addEventListener("click", () => this.show(null, row));
    this.rows.insertBefore(row, this.panels.get(LAST)?.row ?? null);
    this.panels.set(name, { row, summary, section });
    this.shell.menu.append(section);
    return (text) => (summary.textContent = text);
  }

  /** Takes a row away, or brings it back. */
  offer(name: string, offered: boolean): void {
    const panel = this.panels.get(name);
    if (panel) panel.row.hidden = !offered;
  }

  /** Buttons of the bar that have no room in it. */
  takeIn(buttons: HTMLElement): void {
    this.list.append(buttons);
  }

  private toggled(open: boolean): void {
    const { controls, settingsButton, menu } = this.shell;
    controls.toggleAttribute("noautohide", open);
    settingsButton.setAttribute("aria-expanded", String(open));
    if (!open) return this.returnFocus();
    this.show(this.wanted);
    this.wanted = null;
    menu.scrollTop = 0;
  }

  /** A browser that lost the focus with the menu would start again at the top of the page. */
  private returnFocus(): void {
    const { root, menu, settingsButton } = this.shell;
    const isLost = root.activeElement === null && document.activeElement === document.body;
    if (isLost || menu.contains(root.activeElement)) settingsButton.focus();
  }

  private show(name: string | null, focus?: HTMLElement): void {
    const wanted = name === null ? undefined : this.panels.get(name);
    this.list.hidden = wanted !== undefined;
    for (const { section } of this.panels.values()) section.hidden = section !== wanted?.section;
    this.place();
    const inside = wanted?.section ?? this.list;
    const firsts = FIRST.map((selector) => inside.querySelector<HTMLElement>(selector));
    (focus ?? firsts.find((element) => element !== null))?.focus();
  }

  private readonly place = (): void => {
    const { menu, frame } = this.shell;
    if (!menu.matches(":popover-open")) return;
    menu.classList.toggle("sheet", this.isNarrow);
    if (this.isNarrow) return;
    const { right, bottom, height } = frame.getBoundingClientRect();
    const offset = Math.max(8, window.innerHeight - bottom + 68);
    menu.style.setProperty("--right", `${Math.max(8, window.innerWidth - right + 12)}px`);
    menu.style.setProperty("--bottom", `${offset}px`);
    menu.style.setProperty("--room", `${Math.min(height - 84, window.innerHeight - offset - 8)}px`);
  };

  /** Arrow keys go along the list. */
  private move(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || this.list.hidden) return;
    const rows = [...this.list.querySelectorAll<HTMLElement>(".row:not([hidden])")];
    const at = rows.indexOf(event.composedPath()[0] as HTMLElement);
    rows[(at + step + rows.length) % rows.length]?.focus();
    event.preventDefault();
  }
}
