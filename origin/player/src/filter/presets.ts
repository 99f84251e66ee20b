/** What can run in the browser: Anime4K's networks, and the modes that chain them. */

import type { FilterSettings, FrameFilter, Size } from "../types";

type Kind = FrameFilter["kind"];

/** Times the size, and thousands of multiply-adds per pixel that it reads. */
const NETS = {
  "restore-m": [1, 2.1],
  "restore-vl": [1, 8.8],
  "restore-ul": [1, 19.1],
  "restore-soft-m": [1, 2.1],
  "restore-soft-vl": [1, 8.8],
  "restore-gan-uul": [1, 15.3],
  "upscale-m": [2, 2.1],
  "upscale-vl": [2, 8.5],
  "upscale-ul": [2, 17.4],
  "upscale-denoise-vl": [2, 8.5],
  "upscale-gan-x3-l": [3, 32],
  "upscale-gan-x4-uul": [4, 240],
} as const satisfies Record<string, readonly [scale: number, cost: number]>;

export type Net = keyof typeof NETS;

/** `fit` brings the picture down to the size from which the rest of a mode reaches the target. */
type Step = Net | "fit";

export interface Preset {
  id: string;
  /** For people. */
  label: string;
  group: "Modes" | "Upscale" | "Restore";
  /** What it is good for, in one sentence. */
  hint: string;
  steps: readonly Step[];
  /** Whether nothing may get brighter than its surroundings in the source, which takes ringing away. */
  clampsHighlights: boolean;
  /** What the origin calls the same thing, where it has it: `GET /api/shaders/<model>.glsl`. */
  model: string | null;
  /** What to run instead on a GPU that is too slow for it. */
  lighter: string | null;
}

function mode(letters: string, hint: string, lighter: string, ...steps: Step[]): Preset {
  const id = `mode-${letters.toLowerCase()}`;
  const model = id === "mode-a" ? "anime4k-a" : null;
  const label = `Mode ${letters.split("").join(" + ")}`;
  return { id, label, hint, lighter, steps, model, group: "Modes", clampsHighlights: true };
}

function single(id: Net, label: string, hint: string, lighter: Net | null): Preset {
  const group = id.startsWith("upscale") ? "Upscale" : "Restore";
  const model = id === "upscale-m" ? "anime4k-m" : id === "upscale-vl" ? "anime4k-vl" : null;
  return { id, label, hint, group, lighter, model, steps: [id], clampsHighlights: false };
}

export const PRESETS: readonly Preset[] = [
  mode(
    "A",
    "Takes much blur and compression away, then doubles: most 1080p anime, old SD anime.",
    "upscale-vl",
    "restore-vl",
    "upscale-vl",
    "fit",
    "upscale-m",
  ),
  mode(
    "B",
    "As A, but gently: sources with little blur but some ringing or aliasing, as much 720p anime.",
    "upscale-vl",
    "restore-soft-vl",
    "upscale-vl",
    "fit",
    "upscale-m",
  ),
  mode(
    "C",
    "Doubles and takes light noise away, no more: sources with nothing to repair.",
    "upscale-m",
    "upscale-denoise-vl",
    "fit",
    "upscale-m",
  ),
  mode(
    "AA",
    "A, sharpened twice: the crispest lines, and the most likely to overdo them.",
    "mode-a",
    "restore-vl",
    "upscale-vl",
    "restore-m",
    "fit",
    "upscale-m",
  ),
  mode(
    "BB",
    "B, softly sharpened twice.",
    "mode-b",
    "restore-soft-vl",
    "upscale-vl",
    "fit",
    "restore-soft-m",
    "upscale-m",
  ),
  mode(
    "CA",
    "C, then sharpened by A's small network.",
    "mode-c",
    "upscale-denoise-vl",
    "fit",
    "restore-m",
    "upscale-m",
  ),
  single("upscale-m", "Upscale M", "The lightest: doubles, correcting luma alone.", null),
  single("upscale-vl", "Upscale VL", "Doubles, four times the work of M.", "upscale-m"),
  single("upscale-ul", "Upscale UL", "Doubles, eight times the work of M.", "upscale-vl"),
  single("upscale-denoise-vl", "Upscale and denoise VL", "Doubles, and takes light noise away.", "upscale-m"),
  single(
    "upscale-gan-x3-l",
    "Upscale GAN ×3 L",
    "Triples and invents detail that may never have been there; for strong GPUs.",
    "upscale-vl",
  ),
  single(
    "upscale-gan-x4-uul",
    "Upscale GAN ×4 UUL",
    "Quadruples and invents detail; a hundred times the work of M.",
    "upscale-gan-x3-l",
  ),
  single("restore-m", "Restore M", "Sharpens at the source's size; the browser enlarges.", null),
  single("restore-vl", "Restore VL", "Sharpens at the source's size, four times the work of M.", "restore-m"),
  single("restore-ul", "Restore UL", "Sharpens at the source's size, nine times the work of M.", "restore-vl"),
  single("restore-soft-m", "Restore soft M", "Sharpens gently at the source's size.", null),
  single("restore-soft-vl", "Restore soft VL", "Sharpens gently, four times the work of M.", "restore-soft-m"),
  single("restore-gan-uul", "Restore GAN UUL", "Sharpens and invents detail at the source's size.", "restore-m"),
];

export const DEFAULT_PRESET = "upscale-vl";

/** What may be asked for beside the size of the box; heights, each as the title is wide. */
export const HEIGHTS = [720, 1080, 1440, 2160] as const;

/** Throws where there is none of this id. */
export function findPreset(id: string): Preset {
  const found = PRESETS.find((preset) => preset.id === id);
  if (!found) throw new Error(`There is no filter “${id}”.`);
  return found;
}

/** WebGL2 runs what the origin has the shader of; WebGPU all. */
export function presetsFor(kind: Kind): readonly Preset[] {
  return kind === "webgpu" ? PRESETS : PRESETS.filter((preset) => preset.model);
}

export interface Stage {
  net: Net | "resize";
  from: Size;
  to: Size;
}

/**
 * The networks that run, as mpv decides by the shaders' `//!WHEN`: one that upscales only where at
 * least a fifth is missing. Empty where there is nothing to do.
 */
export function plan(preset: Preset, source: Size, target: Size): Stage[] {
  const stages: Stage[] = [];
  let size = source;
  for (const step of preset.steps) {
    const to = step === "fit" ? fit(source, target) : netSize(step, size, target);
    if (!to) continue;
    stages.push({ net: step === "fit" ? "resize" : step, from: size, to });
    size = to;
  }
  return stages;
}

function netSize(net: Net, size: Size, target: Size): Size | null {
  const [scale] = NETS[net];
  if (scale > 1 && !exceeds(target, size, 1.2)) return null;
  return { width: scale * size.width, height: scale * size.height };
}

function fit(source: Size, target: Size): Size | null {
  if (exceeds(target, source, 1.2) && exceeds(source, target, 1 / 2)) return target;
  if (!exceeds(target, source, 2.4) || !exceeds(source, target, 1 / 4)) return null;
  return { width: Math.ceil(target.width / 2), height: Math.ceil(target.height / 2) };
}

/** In both directions. */
export const exceeds = (size: Size, other: Size, times: number): boolean =>
  size.width > times * other.width && size.height > times * other.height;

/** Millions of multiply-adds per frame; the last resampling counts as some. */
export function cost(settings: FilterSettings, source: Size): number {
  const stages = plan(findPreset(settings.preset), source, settings.target);
  const nets = stages.reduce((sum, { net, from }) => sum + (net === "resize" ? 0 : NETS[net][1] * pixels(from)), 0);
  return (nets + 0.05 * pixels(settings.target)) / 1000;
}

const pixels = ({ width, height }: Size): number => width * height;

/** The next thing to try on a GPU that is too slow: a lighter network, then a smaller target, then null. */
export function lighter(settings: FilterSettings, source: Size, kind: Kind): FilterSettings | null {
  const instead = findPreset(settings.preset).lighter;
  if (instead && presetsFor(kind).some((preset) => preset.id === instead)) {
    return { ...settings, preset: instead };
  }
  const { width, height } = settings.target;
  const smaller = HEIGHTS.filter((candidate) => candidate < height && candidate > 1.2 * source.height).at(-1);
  if (!smaller) return null;
  return { ...settings, target: { width: Math.round((width * smaller) / height), height: smaller } };
}

/** What runs after so many steps down from what was asked for; null is nothing any more. */
export function stepped(asked: FilterSettings, steps: number, source: Size, kind: Kind): FilterSettings | null {
  let settings: FilterSettings | null = { ...asked, preset: nearest(asked.preset, kind) };
  for (let step = 0; step < steps && settings; step += 1) settings = lighter(settings, source, kind);
  return settings;
}

/** The preset itself, or the next lighter one that this kind of filter has. */
function nearest(id: string, kind: Kind): string {
  const offered = presetsFor(kind);
  for (let preset: Preset | null = findPreset(id); preset; preset = preset.lighter ? findPreset(preset.lighter) : null) {
    if (offered.includes(preset)) return preset.id;
  }
  return "upscale-m";
}
