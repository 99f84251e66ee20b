/** What both filters share. */

import type { FrameFilter, Size } from "../types";

export interface GpuFilter extends FrameFilter {
  /** Names the GPU, as far as the browser tells. */
  readonly gpu: string;
  /** Loses the GPU, as a crash of its driver would: for tests. */
  lose(): void;
}

/** Never resolves. */
export const NEVER = new Promise<never>(() => undefined);

export function checkSizes(most: number, ...sizes: Size[]): void {
  const found = sizes.find(({ width, height }) => width > most || height > most);
  if (found) throw new Error(`${found.width}×${found.height} is more than this GPU takes (${most}).`);
}
