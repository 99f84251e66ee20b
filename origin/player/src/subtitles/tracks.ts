/** Which cues the chosen text track has at a time. */

import type { Player } from "../types";

/** Cue times are whole milliseconds, frame times are not: a cue must not miss its first frame for that. */
const ROUNDING_SECONDS = 0.001;

export function currentTextTrack({ hls, subtitleTrack }: Player): TextTrack | null {
  if (!hls || !subtitleTrack) return null;
  return hls.subtitleTracks[subtitleTrack.index]?.trackNode?.track ?? null;
}

/** In the order of their start. */
export function cuesAt(track: TextTrack | null, seconds: number): VTTCue[] {
  const time = seconds + ROUNDING_SECONDS;
  const found: VTTCue[] = [];
  const cues = track?.cues;
  for (let index = 0; cues && index < cues.length; index += 1) {
    const cue = cues[index] as VTTCue;
    if (cue.startTime > time) break;
    if (cue.endTime > time) found.push(cue);
  }
  return found;
}
