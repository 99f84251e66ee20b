/** What can stand on a side. */

import type { Variant } from "../types";

export interface Choice {
  id: string;
  /** `source 480p · browser bilinear`. */
  label: string;
  variant: Variant;
  /** The filter that runs over it in this browser; null is the browser's own scaling alone. */
  preset: string | null;
}

export interface Preset {
  id: string;
  label: string;
}

/** Every variant, and the presets over the tallest source variant. */
export function choicesOf(variants: readonly Variant[], presets: readonly Preset[]): Choice[] {
  const choices = variants.map(plain);
  const source = tallest(
    variants.filter(({ madeBy }) => madeBy === "source"),
    ({ height }) => height,
  );
  if (!source) return choices;
  const filtered = presets.map(({ id, label }) => ({
    id: `${source.id}+${id}`,
    label: `${source.label} · Anime4K ${label} · browser`,
    variant: source,
    preset: id,
  }));
  return [...choices, ...filtered];
}

function plain(variant: Variant): Choice {
  const label = variant.madeBy === "source" ? `${variant.label} · browser bilinear` : variant.label;
  return { id: variant.id, label, variant, preset: null };
}

/** The source on the left; on the right what is on the screen, or else the best there is. */
export function firstChoices(
  choices: readonly Choice[],
  onScreen: Variant | null,
  preset: string,
): [Choice, Choice] | null {
  const byHeight = ({ variant }: Choice): number => variant.height;
  const unfiltered = choices.filter(({ preset }) => preset === null);
  const source = tallest(unfiltered.filter(({ variant }) => variant.madeBy === "source"), byHeight);
  const made = unfiltered.filter(({ variant }) => variant.madeBy === "server");
  const left = source ?? unfiltered[0];
  const right =
    made.find(({ variant }) => variant.id === onScreen?.id) ??
    tallest(made.filter(({ variant }) => variant.model), byHeight) ??
    choices.find((choice) => choice.preset === preset) ??
    choices.find((choice) => choice.preset !== null) ??
    unfiltered.find((choice) => choice !== left);
  return left && right && left !== right ? [left, right] : null;
}

function tallest<T>(items: readonly T[], height: (item: T) => number): T | null {
  return items.reduce<T | null>((best, item) => (best && height(best) >= height(item) ? best : item), null);
}
