/** How plain subtitles look; remembered. */

export type Edge = "outline" | "shadow" | "none";
export type Family = "sans" | "serif" | "mono" | "casual";

export interface SubtitleStyle {
  /** 1 is the usual size. */
  size: number;
  /** `#rrggbb`. */
  color: string;
  family: Family;
  edge: Edge;
  background: string;
  /** 0 … 1. */
  backgroundOpacity: number;
  /** Of text and background, 0 … 1. */
  opacity: number;
  /** Below the lowest line, of the picture's height. */
  margin: number;
  /** Later if positive. */
  delaySeconds: number;
  /** ASS as its author styled it, with its fonts, rather than as plain text. */
  asAuthored: boolean;
}

export const DEFAULTS: Readonly<SubtitleStyle> = {
  size: 1,
  color: "#ffffff",
  family: "sans",
  edge: "outline",
  background: "#000000",
  backgroundOpacity: 0,
  opacity: 1,
  margin: 0.04,
  delaySeconds: 0,
  asAuthored: true,
};

/** Stacks of what systems bring: no font is fetched. */
const FAMILIES: Readonly<Record<Family, string>> = {
  sans: 'system-ui, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  serif: 'Georgia, "Noto Serif", "Liberation Serif", "Times New Roman", serif',
  mono: 'ui-monospace, "Cascadia Mono", Menlo, "Noto Sans Mono", "Liberation Mono", monospace',
  casual: '"Comic Neue", "Comic Sans MS", "Chalkboard SE", "Segoe Print", cursive',
};

/** What was remembered, with defaults for what is missing or no longer makes sense. */
export function complete(remembered: unknown): SubtitleStyle {
  const known: Record<string, unknown> = { ...DEFAULTS };
  for (const [key, value] of Object.entries(remembered ?? {})) {
    if (typeof value === typeof known[key]) known[key] = value;
  }
  const style = known as unknown as SubtitleStyle;
  if (!(style.family in FAMILIES)) style.family = DEFAULTS.family;
  return style;
}

/** Puts the style where the style sheet looks for it. */
export function apply(style: SubtitleStyle, element: HTMLElement): void {
  const { dataset } = element;
  dataset.edge = style.edge;
  element.toggleAttribute("data-background", style.backgroundOpacity > 0);
  const alpha = `${Math.round(style.backgroundOpacity * 100)}%`;
  const set = (name: string, value: string): void => element.style.setProperty(name, value);
  set("--subtitle-color", style.color);
  set("--subtitle-family", FAMILIES[style.family]);
  set("--subtitle-background", `color-mix(in srgb, ${style.background} ${alpha}, transparent)`);
  set("--subtitle-opacity", String(style.opacity));
}
