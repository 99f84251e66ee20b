/** Two pictures of the same frame, side by side under a split. */

import { complete } from "../filter/settings";
import type { Part, Player, Variant } from "../types";
import { type Choice, choicesOf, firstChoices, type Preset } from "./choices";
import { Comparison } from "./comparison";
import css from "./compare.css?inline";
import { availablePresets } from "./filtering";
import { COMPARE } from "./icons";
import { type LensSettings, Magnifier } from "./magnifier";
import type { SideIndex } from "./pictures";
import { saveBoth, saveOne, type StillFacts } from "./still";
import { View } from "./view";

const SUPPORTED = "requestVideoFrameCallback" in HTMLVideoElement.prototype && "VideoFrame" in window;
const LENS: LensSettings = { zoom: 4, both: true };

interface Opened {
  view: View;
  magnifier: Magnifier;
  comparison: Comparison;
  choices: [Choice, Choice];
  /** What the viewer had chosen before. */
  before: Variant | null;
}

export class Compare implements Part {
  private readonly button: HTMLButtonElement;
  private opened: Opened | null = null;
  /** Null until it is known what this browser can run. */
  private presets: readonly Preset[] | null = null;
  /** While a comparison begins, the choices that it makes are its own. */
  private beginning = false;

  constructor(private readonly player: Player) {
    player.addStyles(css);
    this.button = player.addButton("compare", "Compare", () => this.toggle(), COMPARE);
    this.button.setAttribute("aria-pressed", "false");
    player.addKey("x", "Hold to swap the compared sides", () => this.opened?.view.swap(true), () => this.opened?.view.swap(false));
    player.addEventListener("title", this.close);
    player.addEventListener("variants", this.refresh);
    player.addEventListener("variant", this.refresh);
    player.addEventListener("layout", this.place);
    this.refresh();
  }

  destroy(): void {
    this.close();
    this.player.removeEventListener("title", this.close);
    this.player.removeEventListener("variants", this.refresh);
    this.player.removeEventListener("variant", this.refresh);
    this.player.removeEventListener("layout", this.place);
    this.button.remove();
  }

  private choices(): Choice[] {
    const { hls, variants, currentVariant } = this.player;
    // A browser that plays HLS by itself shows one variant, which it chooses.
    return choicesOf(hls || !currentVariant ? variants : [currentVariant], this.presets ?? []);
  }

  private toggle(): void {
    if (this.opened) this.close();
    else void this.open();
  }

  /** Only what both sides need is waited for: finding out what the GPU can do takes a moment. */
  private async first(): Promise<[Choice, Choice] | null> {
    const { player } = this;
    const probed = this.presets ? null : availablePresets().then((presets) => this.learn(presets));
    const { preset } = complete(player.recall("filter"));
    const chosen = firstChoices(this.choices(), player.currentVariant, preset);
    if (chosen || !probed) return chosen;
    await probed;
    return firstChoices(this.choices(), player.currentVariant, preset);
  }

  private learn(presets: readonly Preset[]): void {
    this.presets = presets;
    const { opened } = this;
    if (opened) opened.view.showChoices(this.choices(), opened.choices);
  }

  private async open(): Promise<void> {
    const { player } = this;
    const { title } = player;
    const chosen = await this.first();
    if (player.title !== title || this.opened) return;
    if (!chosen) return player.say("compare", "There is nothing to compare: this title has one variant, and this browser has no GPU to run a filter on.");
    if (!SUPPORTED) return player.say("compare", "This browser does not tell frames apart, so it cannot compare them.");
    player.say("compare", null);
    const before = player.chosenVariant;
    const view = new View({
      onChoose: (side, id) => this.choose(side, id),
      onClose: () => this.close(),
      onStill: (what) => void this.save(what),
      onMagnify: (on) => this.opened?.magnifier.toggle(on),
      onChange: () => this.opened?.magnifier.draw(),
    });
    player.layers.append(view.element);
    view.place(player.pictureBox);
    const settings = { ...LENS, ...player.recall<LensSettings>("compare-lens") };
    const magnifier = new Magnifier(view, settings, () => this.opened?.comparison.pair ?? null, (changed) => player.remember("compare-lens", changed));
    this.button.setAttribute("aria-pressed", "true");
    this.opened = { view, magnifier, choices: chosen, before, comparison: this.compare(view, chosen) };
    view.showChoices(this.choices(), chosen);
  }

  private readonly close = (): void => {
    if (!this.opened) return;
    const { view, comparison, before } = this.opened;
    this.opened = null;
    comparison.stop();
    view.destroy();
    this.player.comparing = null;
    this.player.chooseVariant(before?.id ?? null);
    this.button.setAttribute("aria-pressed", "false");
    this.player.say("compare", null);
  };

  private compare(view: View, choices: [Choice, Choice]): Comparison {
    this.beginning = true;
    try {
      const comparison = new Comparison(this.player, view, choices, () => this.opened?.magnifier.draw());
      this.player.comparing = comparison;
      return comparison;
    } finally {
      this.beginning = false;
    }
  }

  private choose(side: SideIndex, id: string): void {
    const { opened } = this;
    const choice = this.choices().find((candidate) => candidate.id === id);
    if (!opened || !choice) return;
    opened.choices[side] = choice;
    opened.comparison.stop();
    opened.view.expire();
    opened.comparison = this.compare(opened.view, opened.choices);
    opened.view.showChoices(this.choices(), opened.choices);
  }

  /** The list of variants, or what is chosen, changed. */
  private readonly refresh = (): void => {
    this.button.disabled = this.player.variants.length === 0;
    const { opened } = this;
    if (!opened || this.beginning) return;
    const { leader, leading } = opened.comparison;
    const { chosenVariant } = this.player;
    if (chosenVariant && chosenVariant.id !== leader.id) {
      opened.before = chosenVariant;
      this.choose(leading, chosenVariant.id);
    } else {
      opened.comparison.pin();
    }
  };

  private readonly place = (): void => {
    const { opened } = this;
    if (!opened) return;
    opened.view.place(this.player.pictureBox);
    if (opened.comparison.pair) opened.view.draw(opened.comparison.pair);
    opened.magnifier.draw();
  };

  private shown(): { pair: NonNullable<Comparison["pair"]>; choices: [Choice, Choice] } | null {
    const pair = this.opened?.comparison.pair;
    return this.opened && pair ? { pair, choices: this.opened.choices } : null;
  }

  private async save(what: "both" | SideIndex): Promise<void> {
    const shown = this.shown();
    if (!shown) return;
    const facts: StillFacts = {
      title: this.player.title?.name ?? "still",
      seconds: shown.pair[0].seconds,
      frameSeconds: this.player.frameSeconds,
      choices: shown.choices,
    };
    try {
      await (what === "both" ? saveBoth(shown.pair, facts) : saveOne(shown.pair, what, facts));
    } catch (error) {
      this.player.say("compare", `The picture could not be saved: ${error instanceof Error ? error.message : error}`);
    }
  }
}
