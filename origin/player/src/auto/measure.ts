/** How fast this GPU is: a few frames of the lightest network, off the screen. */

import type { GpuFilter } from "../filter/gpu";
import { openFilter } from "../filter/open";
import { cost } from "../filter/presets";
import type { FrameFilter, Player, Size } from "../types";

const KEY = "gpu-speed";
const PRESET = "upscale-m";
/** The first frames compile and allocate, and do not count where there are more. */
const FRAMES = 8;
const COUNTED = 5;
const MOST_MS = 600;
/** The larger one tells more about a GPU that is through with the smaller one at once. */
const SIZES: readonly Size[] = [
  { width: 320, height: 180 },
  { width: 1280, height: 720 },
];
const AT_ONCE_MS = 4;

export interface Speed {
  kind: FrameFilter["kind"];
  /** Names the GPU. */
  gpu: string;
  /** Millions of multiply-adds per millisecond. */
  speed: number;
}

/** Measures once per GPU and remembers it. Rejects, with a reason for people, where nothing runs. */
export async function measuredSpeed(player: Pick<Player, "recall" | "remember">): Promise<Speed> {
  const filter = await openFilter();
  try {
    const { kind, gpu } = filter;
    const known = player.recall<Speed>(KEY);
    if (known?.gpu === gpu && known.kind === kind && known.speed > 0) return known;
    const measured = { kind, gpu, speed: await measure(filter) };
    player.remember(KEY, measured);
    return measured;
  } finally {
    filter.destroy();
  }
}

async function measure(filter: GpuFilter): Promise<number> {
  let speed = 0;
  for (const source of SIZES) {
    const settings = { preset: PRESET, strength: 1, target: { width: 2 * source.width, height: 2 * source.height } };
    await filter.configure(source, settings);
    const frame = await createImageBitmap(new ImageData(source.width, source.height));
    const took: number[] = [];
    for (const began = performance.now(); took.length < FRAMES; ) {
      took.push(await filter.render(frame));
      if (performance.now() - began > MOST_MS) break;
    }
    frame.close();
    const counted = took.slice(-COUNTED).sort((a, b) => a - b);
    const typical = counted[Math.floor(counted.length / 2)] ?? Infinity;
    speed = cost(settings, source) / Math.max(typical, 0.01);
    if (typical > AT_ONCE_MS) break;
  }
  return speed;
}
