/** Sentences for the viewer over the picture, one per speaker. */

import { icon, make } from "./dom";
import { CLOSE } from "./icons";

export class Notices {
  private readonly shown = new Map<string, HTMLElement>();

  constructor(private readonly container: HTMLElement) {}

  /** `action` is offered as a button. */
  say(source: string, message: string | null, action?: { label: string; run: () => void }): void {
    this.shown.get(source)?.remove();
    this.shown.delete(source);
    if (!message) return;
    const notice = make("div", { class: "notice", "data-source": source }, make("p", {}, message));
    if (action) notice.append(button(action.label, "act", action.run));
    const close = button("", "button close", () => this.say(source, null));
    close.setAttribute("aria-label", "Dismiss");
    close.append(icon(CLOSE));
    notice.append(close);
    this.shown.set(source, notice);
    this.container.append(notice);
  }

  clear(): void {
    for (const source of [...this.shown.keys()]) this.say(source, null);
  }
}

function button(label: string, className: string, onClick: () => void): HTMLButtonElement {
  const element = make("button", { type: "button", class: className }, label);
  element.addEventListener("click", onClick);
  return element;
}
