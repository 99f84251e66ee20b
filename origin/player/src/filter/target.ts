/** How large the filter's output is. */

import type { Size } from "../types";

/** `auto` is the box that the picture fills, in device pixels; else a height. */
export type TargetChoice = "auto" | number;

export function targetSize(choice: TargetChoice, box: Size, pixelRatio: number, source: Size): Size {
  const ratio = box.width && box.height ? box.width / box.height : source.width / source.height;
  if (choice === "auto" && box.width && box.height) {
    return { width: whole(box.width * pixelRatio), height: whole(box.height * pixelRatio) };
  }
  const height = choice === "auto" ? source.height : choice;
  return { width: whole(height * ratio), height };
}

const whole = (length: number): number => Math.max(1, Math.round(length));
