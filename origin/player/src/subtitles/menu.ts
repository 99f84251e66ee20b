/** The form for the look of subtitles. */

import { make } from "../player/dom";
import { DEFAULTS, type SubtitleStyle } from "./style";

type Key = keyof SubtitleStyle;

/** Calls `onChange` with the fields that changed. `set` shows a style in the form. */
export class StyleMenu {
  readonly body = make("form", { class: "subtitle-style", "data-part": "subtitle-style" });
  private readonly show: ((style: SubtitleStyle) => void)[] = [];

  constructor(private readonly onChange: (changed: Partial<SubtitleStyle>) => void) {
    this.body.addEventListener("submit", (event) => event.preventDefault());
    this.body.append(
      this.choice("asAuthored", "Styled (ASS) subtitles", { true: "As authored", false: "Plain text" }),
      this.number("delaySeconds", "Delay in seconds", { min: "-60", max: "60", step: "0.1" }),
      make("p", { class: "hint" }, "For plain text:"),
      this.range("size", "Size", { min: "0.5", max: "2", step: "0.05" }),
      this.choice("family", "Font", { sans: "Sans serif", serif: "Serif", mono: "Typewriter", casual: "Casual" }),
      this.color("color", "Colour"),
      this.choice("edge", "Edge", { outline: "Outline", shadow: "Shadow", none: "None" }),
      this.color("background", "Background"),
      this.range("backgroundOpacity", "Background opacity", { min: "0", max: "1", step: "0.05" }),
      this.range("opacity", "Opacity", { min: "0.2", max: "1", step: "0.05" }),
      this.range("margin", "Distance from the bottom", { min: "0", max: "0.4", step: "0.01" }),
      this.reset(),
    );
  }

  set(style: SubtitleStyle): void {
    for (const show of this.show) show(style);
  }

  private choice(key: Key, label: string, options: Record<string, string>): HTMLElement {
    const select = make("select");
    for (const [value, text] of Object.entries(options)) select.append(new Option(text, value));
    const read = (): unknown => (key === "asAuthored" ? select.value === "true" : select.value);
    return this.field(key, label, select, read);
  }

  private range(key: Key, label: string, limits: Record<string, string>): HTMLElement {
    const input = make("input", { type: "range", ...limits });
    const output = make("output");
    const percent = (): void => {
      output.textContent = `${Math.round(input.valueAsNumber * 100)} %`;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", percent);
    const field = this.field(key, label, input, () => input.valueAsNumber);
    this.show.push(percent);
    field.append(output);
    return field;
  }

  private number(key: Key, label: string, limits: Record<string, string>): HTMLElement {
    const input = make("input", { type: "number", value: "0", ...limits });
    return this.field(key, label, input, () => (Number.isNaN(input.valueAsNumber) ? 0 : input.valueAsNumber));
  }

  private color(key: Key, label: string): HTMLElement {
    const input = make("input", { type: "color" });
    return this.field(key, label, input, () => input.value);
  }

  private field(
    key: Key,
    label: string,
    control: HTMLInputElement | HTMLSelectElement,
    read: () => unknown,
  ): HTMLElement {
    control.name = key;
    control.addEventListener("input", () => this.onChange({ [key]: read() }));
    this.show.push((style) => {
      if (read() !== style[key]) control.value = String(style[key]);
    });
    return make("label", {}, make("span", {}, label), control);
  }

  private reset(): HTMLElement {
    const button = make("button", { type: "button", "data-part": "subtitle-reset" }, "Back to the defaults");
    button.addEventListener("click", () => this.onChange(DEFAULTS));
    return button;
  }
}
