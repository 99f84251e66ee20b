/** The form in the settings menu. */

import { make } from "../player/dom";
import type { FrameFilter } from "../types";
import { HEIGHTS, PRESETS, presetsFor } from "./presets";
import type { FilterChoice } from "./settings";

export class FilterMenu {
  readonly body = make("form", { class: "filter-form", "data-part": "filter" });
  private readonly power = make("input", { type: "checkbox", "data-part": "filter-switch" });
  private readonly preset = make("select", { "data-part": "filter-preset" });
  private readonly hint = make("p", { class: "hint", "data-part": "filter-hint" });
  private readonly strength = make("input", {
    ...{ type: "range", min: "0", max: "2", step: "0.05" },
    "data-part": "filter-strength",
  });
  private readonly percent = make("output");
  private readonly target = make("select", { "data-part": "filter-target" });
  private readonly status = make("p", { class: "hint", "data-part": "filter-status" });

  constructor(private readonly onChange: (changed: Partial<FilterChoice>) => void) {
    this.body.addEventListener("submit", (event) => event.preventDefault());
    this.target.append(new Option("As large as it is shown", "auto"));
    this.target.append(...HEIGHTS.map((height) => new Option(`${height}p`, String(height))));
    for (const group of ["Modes", "Upscale", "Restore"] as const) {
      const options = PRESETS.filter((preset) => preset.group === group).map(({ id, label }) => new Option(label, id));
      this.preset.append(make("optgroup", { label: group }, ...options));
    }
    this.preset.setAttribute("aria-describedby", (this.hint.id = "filter-hint"));
    this.body.append(
      make("label", {}, make("span", {}, "Upscale in this browser"), this.power),
      make("label", {}, make("span", {}, "Anime4K"), this.preset),
      this.hint,
      make("label", {}, make("span", {}, "Strength"), this.strength, this.percent),
      make("label", {}, make("span", {}, "Size"), this.target),
      this.status,
    );
    this.listen();
  }

  private listen(): void {
    const { power, preset, strength, target } = this;
    power.addEventListener("input", () => this.onChange({ on: power.checked }));
    preset.addEventListener("input", () => this.onChange({ preset: preset.value }));
    strength.addEventListener("input", () => this.onChange({ strength: strength.valueAsNumber }));
    target.addEventListener("input", () => {
      this.onChange({ target: target.value === "auto" ? "auto" : Number(target.value) });
    });
  }

  show(choice: FilterChoice, kind: FrameFilter["kind"] | null, problem: string | null): void {
    this.power.checked = choice.on && !problem;
    this.preset.value = choice.preset;
    this.strength.valueAsNumber = choice.strength;
    this.target.value = String(choice.target);
    this.percent.textContent = `${Math.round(choice.strength * 100)} %`;
    this.strength.setAttribute("aria-valuetext", this.percent.textContent);
    const offered = kind ? presetsFor(kind) : PRESETS;
    for (const option of this.preset.options) option.disabled = !offered.some(({ id }) => id === option.value);
    this.hint.textContent = PRESETS.find(({ id }) => id === choice.preset)?.hint ?? "";
    for (const control of [this.power, this.preset, this.strength, this.target]) control.disabled = problem !== null;
  }

  say(status: string): void {
    if (this.status.textContent !== status) this.status.textContent = status;
  }
}
