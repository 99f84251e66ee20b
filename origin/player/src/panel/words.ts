/** Numbers and states for people. */

import { type Request, STAGES } from "./segments";

export const NONE = "–";

export function milliseconds(value: number): string {
  return value < 1_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
}

export function bytes(value: number): string {
  return value < 100_000 ? `${(value / 1000).toFixed(1)} kB` : `${(value / 1e6).toFixed(2)} MB`;
}

export function bitRate(value: number): string {
  return value < 1e6 ? `${Math.round(value / 1000)} kb/s` : `${(value / 1e6).toFixed(1)} Mb/s`;
}

/** `hit`, `miss`, … as the origin says it, or the cache in front of it: `hit nginx`. */
export function cacheWord({ state, cache, cacheStatus }: Request): string {
  if (state === "loading") return "…";
  if (state !== "done") return state;
  // RFC 9211: the last member is the cache that is nearest to the player.
  const nearest = cacheStatus?.split(",").at(-1)?.split(";").map((part) => part.trim()) ?? [];
  const isHit = nearest.some((part) => part === "hit");
  if (isHit && nearest[0] && nearest[0] !== "upscale-origin") return `hit ${nearest[0]}`;
  return cache ?? (nearest.length ? (isHit ? "hit" : "miss") : NONE);
}

/** What a bar shows, in words. */
export function spoken(request: Request): string {
  const { requestedMs, firstByteMs, doneMs, stages, state } = request;
  if (state === "loading") return firstByteMs === null ? "waiting for the first byte" : "arriving";
  if (state !== "done") return `${state} after ${milliseconds((doneMs ?? requestedMs) - requestedMs)}`;
  const times = [
    firstByteMs === null ? null : `first byte after ${milliseconds(firstByteMs - requestedMs)}`,
    doneMs === null ? null : `done after ${milliseconds(doneMs - requestedMs)}`,
  ];
  const made = STAGES.filter((stage) => stages[stage] !== undefined).map(
    (stage) => `${stage} ${milliseconds(stages[stage] ?? 0)}`,
  );
  return [...times.filter((time) => time !== null), ...made, request.cacheStatus].filter(Boolean).join(", ");
}
