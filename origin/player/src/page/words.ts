/** What the page says of a title. */

import type { Title } from "../api";

export function describe(title: Title): string {
  const { duration_seconds, source, renditions } = title;
  const parts = [];
  if (duration_seconds) parts.push(clock(duration_seconds));
  if (source) parts.push(`source ${source.height}p`);
  for (const { height, model, listed } of renditions) {
    parts.push(`${height}p ${model}${listed === false ? " once warmed" : ""}`);
  }
  return parts.join(" · ");
}

export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
