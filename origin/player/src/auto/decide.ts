/** Who upscales, the origin or this browser. Pure: all that is known goes in, and a reason comes out. */

import { cost, exceeds, findPreset, stepped } from "../filter/presets";
import type { FilterSettings, FrameFilter, Size, Variant } from "../types";

export interface Situation {
  variants: readonly Variant[];
  /** That the picture fills, in device pixels. */
  box: Size;
  /** Milliseconds from one frame to the next. */
  interval: number;
  /** Bits per second; null while nothing was measured. */
  bandwidth: number | null;
  /** What the viewer prefers to run here. */
  preset: string;
  /** The filter of this browser; or, as a sentence, why there is none. */
  filter: { kind: FrameFilter["kind"]; speed: number } | string;
  /** The viewer asked the browser to save data. */
  savesData: boolean;
  onBattery: boolean;
}

export interface Decision {
  /** Null leaves it to the network. */
  variant: string | null;
  filter: FilterSettings | null;
  /** For the viewer. */
  why: string;
}

/** Shares of the bandwidth and of the time between frames: to begin with something, and to stay with it. */
const SHARES = { begin: { network: 0.7, gpu: 0.5 }, stay: { network: 0.9, gpu: 0.8 } };
/** Of the time between frames, where the battery feeds the GPU. */
const THRIFTY = 0.5;
/** Smaller gains are left to the browser's own scaling; below the second the networks do not run at all. */
const WORTHWHILE = { begin: 1.3, stay: 1.2 };

/** `current` is what was decided last: it is kept unless something else is clearly better. */
export function decide(situation: Situation, current: Decision | null = null): Decision {
  const { variants, box } = situation;
  const source = affordable(situation, variants.filter(({ madeBy }) => madeBy === "source"), current);
  if (!source) return { variant: null, filter: null, why: "This title has no source variant to start from." };
  const upscales = current !== null && (current.filter !== null || isServer(variants, current.variant));
  if (!exceeds(box, source, upscales ? WORTHWHILE.stay : WORTHWHILE.begin)) {
    const why = `The source has ${source.height} lines and the picture here ${box.height}: nothing needs upscaling.`;
    return { variant: source.id, filter: null, why };
  }
  const server = bestServer(situation, source, current);
  const browser = bestFilter(situation, source, current);
  return choose(situation, source, server, browser);
}

function choose(
  situation: Situation,
  source: Variant,
  server: Variant | null,
  browser: { settings: FilterSettings; milliseconds: number } | null,
): Decision {
  const { savesData, onBattery, interval, bandwidth, filter } = situation;
  const viaServer = (because: string): Decision => ({
    variant: server?.id ?? null,
    filter: null,
    why: `The server upscales, to ${server?.height} lines with ${server?.model}: ${because}`,
  });
  const viaBrowser = (because: string): Decision => ({
    variant: source.id,
    filter: browser?.settings ?? null,
    why: `This browser upscales, with ${browser && findPreset(browser.settings.preset).label}: ${because}`,
  });
  const took = browser ? `it takes about ${Math.ceil(browser.milliseconds)} of ${Math.round(interval)} ms per frame` : "";
  if (browser && savesData) return viaBrowser(`${took}, and the source needs the least data.`);
  if (server && onBattery) return viaServer("that spares the battery.");
  if (server && browser && !isAnime4k(server)) return viaServer("its network is far larger than any that runs here.");
  if (browser && server) return viaBrowser(`${took}, without a second encoding in between.`);
  if (browser) return viaBrowser(`${took}, and ${lacking(situation, source)}.`);
  if (server) return viaServer(typeof filter === "string" ? lowered(filter) : "this GPU is too slow for a filter.");
  const gpu = typeof filter === "string" ? lowered(filter) : "this GPU is too slow for a filter.";
  const network = bandwidth === null ? "the network was not measured yet" : lacking(situation, source);
  return { variant: source.id, filter: null, why: `The source as it is: ${network}, and ${gpu}` };
}

/** Why the server has nothing. */
function lacking({ variants, bandwidth }: Situation, source: Variant): string {
  const offered = variants.filter((variant) => variant.model && variant.height > source.height);
  if (!offered.length) return "the server has no taller variant";
  if (bandwidth === null) return "the network was not measured yet";
  const least = Math.min(...offered.map(({ bitrate }) => bitrate));
  return `the network's ${megabits(bandwidth)} are too few for the ${megabits(least)} of the server's variant`;
}

/** The tallest that the network carries; the one of the lowest rate, if it carries none. */
function affordable(situation: Situation, variants: readonly Variant[], current: Decision | null): Variant | null {
  const carried = variants.filter((variant) => situation.bandwidth === null || isCarried(situation, variant, current));
  const least = [...variants].sort((a, b) => a.bitrate - b.bitrate)[0];
  return tallest(carried) ?? least ?? null;
}

function isCarried({ bandwidth }: Situation, { id, bitrate }: Variant, current: Decision | null): boolean {
  const { network } = current?.variant === id ? SHARES.stay : SHARES.begin;
  return bandwidth !== null && bitrate <= network * bandwidth;
}

/** The smallest that fills the picture, else the tallest; of one height, that of the largest network. */
function bestServer(situation: Situation, source: Variant, current: Decision | null): Variant | null {
  const made = situation.variants.filter(
    (variant) => variant.model && variant.height > source.height && isCarried(situation, variant, current),
  );
  const enough = made.filter(({ height }) => height >= situation.box.height);
  const height = enough.length ? Math.min(...enough.map((variant) => variant.height)) : tallest(made)?.height;
  const [best] = made
    .filter((variant) => variant.height === height)
    .sort((a, b) => Number(isAnime4k(a)) - Number(isAnime4k(b)) || b.bitrate - a.bitrate);
  return best ?? null;
}

/** The heaviest of what the viewer prefers, and of what is lighter, that the GPU has time for. */
function bestFilter(
  { filter, preset, box, interval, onBattery }: Situation,
  source: Variant,
  current: Decision | null,
): { settings: FilterSettings; milliseconds: number } | null {
  if (typeof filter === "string") return null;
  const asked = { preset, strength: 1, target: box };
  for (let step = 0; ; step += 1) {
    const settings = stepped(asked, step, source, filter.kind);
    if (!settings || settings.target !== box) return null;
    const milliseconds = cost(settings, source) / filter.speed;
    const { gpu } = current?.filter?.preset === settings.preset ? SHARES.stay : SHARES.begin;
    if (milliseconds <= gpu * interval * (onBattery ? THRIFTY : 1)) return { settings, milliseconds };
  }
}

const tallest = (variants: readonly Variant[]): Variant | null =>
  [...variants].sort((a, b) => b.height - a.height || b.bitrate - a.bitrate)[0] ?? null;

const isServer = (variants: readonly Variant[], id: string | null): boolean =>
  variants.some((variant) => variant.id === id && variant.madeBy === "server");

const isAnime4k = ({ model }: Variant): boolean => model?.startsWith("anime4k") ?? false;

/** As it goes on after a comma. */
const lowered = (sentence: string): string => sentence.replace(/^(The|This) /, (word) => word.toLowerCase());

const megabits = (bits: number): string => `${(bits / 1e6).toFixed(1)} Mb/s`;
