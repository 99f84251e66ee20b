/** A list of which one is chosen. */

import { make } from "./dom";

export interface Choice {
  value: string;
  label: string;
  /** A second, dimmer line. */
  note?: string;
}

let groups = 0;

export class RadioGroup {
  readonly element: HTMLFieldSetElement;
  private readonly name: string;
  private values = "";

  constructor(
    legend: string,
    private readonly onChoose: (value: string) => void,
  ) {
    groups += 1;
    this.name = `choice-${groups}`;
    this.element = make("fieldset", { class: "choices" }, make("legend", { class: "unseen" }, legend));
  }

  /** Keeps the elements, and with them the focus, while the same things are on offer. */
  update(choices: readonly Choice[], chosen: string): void {
    const values = JSON.stringify(choices.map(({ value, label }) => [value, label]));
    if (values !== this.values) this.build(choices);
    this.values = values;
    choices.forEach(({ value, note }, index) => {
      const item = this.element.children[index + 1] as HTMLLabelElement;
      (item.querySelector("input") as HTMLInputElement).checked = value === chosen;
      (item.querySelector("small") as HTMLElement).textContent = note ?? "";
    });
  }

  private build(choices: readonly Choice[]): void {
    while (this.element.children.length > 1) this.element.lastElementChild?.remove();
    for (const { value, label } of choices) {
      const input = make("input", { type: "radio", name: this.name, value });
      input.addEventListener("change", () => this.onChoose(value));
      this.element.append(make("label", { class: "choice" }, input, make("span", {}, label, make("small"))));
    }
  }
}
