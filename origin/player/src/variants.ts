/** Names for what the multivariant playlist offers. */

import type { Level } from "hls.js";
import type { Variant } from "./types";

/** `up-720p-anime4k-m`: made by the origin from a smaller source; `same-480p`: re-encoded by it. */
const UPSCALED = /^up-(\d+p)-(.+)$/;
const REENCODED = /^same-(\d+p)/;

export function variantsOf(levels: readonly Level[]): Variant[] {
  return levels.map((level, index) => {
    const upscaled = UPSCALED.exec(stableId(level));
    const isServer = upscaled !== null || REENCODED.test(stableId(level));
    return {
      id: stableId(level) || `${level.height}p-${level.bitrate}`,
      index,
      width: level.width,
      height: level.height,
      bitrate: level.bitrate,
      madeBy: isServer ? "server" : "source",
      model: upscaled?.[2] ?? null,
      label: variantLabel(level, levels),
    };
  });
}

export function isUpscaled(level: Level): boolean {
  return UPSCALED.test(stableId(level));
}

export function variantLabel(level: Level, levels: readonly Level[]): string {
  const upscaled = UPSCALED.exec(stableId(level));
  if (upscaled) return `${upscaled[1]} · ${upscaled[2]} · server`;
  const reencoded = REENCODED.exec(stableId(level));
  if (reencoded) return `${reencoded[1]} · re-encoded · server`;
  const size = level.height ? `${level.height}p` : (level.name ?? "");
  const twins = levels.filter((other) => other.height === level.height && !isUpscaled(other));
  const rate = twins.length > 1 || !size ? ` · ${Math.round(level.bitrate / 1000)} kb/s` : "";
  return `source ${size}${rate}`;
}

function stableId(level: Level): string {
  return level.attrs["STABLE-VARIANT-ID"] ?? "";
}
