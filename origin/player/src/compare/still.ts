/** Still frames as PNG files. */

import type { Choice } from "./choices";
import type { Pair, SideIndex } from "./pictures";
import { naturalSize } from "./view";

export interface StillFacts {
  title: string;
  seconds: number;
  /** Seconds from one frame to the next. */
  frameSeconds: number;
  choices: readonly [Choice, Choice];
}

const GAP = 4;
/** The caption must be readable, however small the pictures. */
const LEAST_WIDTH = 480;

/** Both sides beside each other at the larger one's size, over a caption. */
export async function saveBoth(pair: Pair, facts: StillFacts): Promise<void> {
  const sizes = pair.map(({ image }) => naturalSize(image)) as [Size, Size];
  const size = commonSize(sizes);
  const unit = Math.max(13, Math.round(size.width / 60));
  const canvas = new OffscreenCanvas(size.width * 2 + GAP, size.height + unit * 5);
  const context = contextOf(canvas);
  context.fillStyle = "#0d1017";
  context.fillRect(0, 0, canvas.width, canvas.height);
  pair.forEach(({ image }, side) => {
    context.drawImage(image, side * (size.width + GAP), 0, size.width, size.height);
  });
  const line = (text: string, x: number, row: number, color: string, weight = 400) => {
    context.font = `${weight} ${unit}px system-ui, sans-serif`;
    context.fillStyle = color;
    context.fillText(text, x + unit, size.height + unit * (0.5 + 1.7 * row), size.width - 2 * unit);
  };
  line(facts.title, 0, 1, "#e8ecf4", 600);
  line(whenOf(facts), size.width + GAP, 1, "#9aa6bd");
  facts.choices.forEach((choice, side) => {
    line(`${"AB"[side]}  ${choice.label}${scaling(sizes[side as SideIndex], size)}`, side * (size.width + GAP), 2, "#6ee7b7");
  });
  await download(canvas, `${nameOf(facts)}_${facts.choices.map(({ id }) => id).join("_vs_")}`);
}

/** One side at the size that it was made in. */
export async function saveOne(pair: Pair, side: SideIndex, facts: StillFacts): Promise<void> {
  const { image } = pair[side];
  const { width, height } = naturalSize(image);
  const canvas = new OffscreenCanvas(width, height);
  contextOf(canvas).drawImage(image, 0, 0, width, height);
  await download(canvas, `${nameOf(facts)}_${facts.choices[side].id}`);
}

interface Size {
  width: number;
  height: number;
}

function commonSize([one, other]: [Size, Size]): Size {
  const larger = one.height >= other.height ? one : other;
  const times = Math.max(1, Math.ceil(LEAST_WIDTH / larger.width));
  return { width: larger.width * times, height: larger.height * times };
}

function scaling(from: Size, to: Size): string {
  const size = `${from.width}×${from.height}`;
  return from.width === to.width && from.height === to.height
    ? ` (${size})`
    : ` (${size}, drawn at ${to.width}×${to.height}: bilinear)`;
}

function whenOf(facts: StillFacts): string {
  return `${clock(facts.seconds)} · frame ${frameOf(facts)}`;
}

function frameOf({ seconds, frameSeconds }: StillFacts): number {
  return Math.round(seconds / frameSeconds);
}

/** `1:02:03.456`. */
function clock(seconds: number): string {
  const millis = Math.round(seconds * 1000);
  const [hours, minutes] = [Math.floor(millis / 3_600_000), Math.floor(millis / 60_000) % 60];
  const rest = ((millis % 60_000) / 1000).toFixed(3).padStart(6, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function nameOf(facts: StillFacts): string {
  return `${facts.title}_${clock(facts.seconds)}_f${frameOf(facts)}`;
}

function contextOf(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser has no more memory for a picture of this size.");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "low";
  return context;
}

async function download(canvas: OffscreenCanvas, name: string): Promise<void> {
  const url = URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name.replace(/[^\p{L}\p{N}._+-]+/gu, "-")}.png`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
