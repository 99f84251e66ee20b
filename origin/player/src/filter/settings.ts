/** What the viewer set, as it is remembered. */

import { DEFAULT_PRESET, HEIGHTS, PRESETS } from "./presets";
import type { TargetChoice } from "./target";

export interface FilterChoice {
  on: boolean;
  preset: string;
  /** 0 none, 1 as it is, up to 2. */
  strength: number;
  target: TargetChoice;
}

/** What was remembered, where it is still something that there is. */
export function complete(kept: Partial<FilterChoice> | null): FilterChoice {
  const { on, preset, strength, target } = kept ?? {};
  return {
    on: on === true,
    preset: PRESETS.find(({ id }) => id === preset)?.id ?? DEFAULT_PRESET,
    strength: typeof strength === "number" ? Math.min(2, Math.max(0, strength)) : 1,
    target: HEIGHTS.find((height) => height === target) ?? "auto",
  };
}
