/** Which cues are due. */

/** Cue times are whole milliseconds, frame times are not: a cue must not miss its first frame for that. */
const ROUNDING_SECONDS = 0.001;

/** `cues` are in the order of their start, and so is what is due at a time. */
export function cuesAt(cues: readonly VTTCue[], seconds: number): VTTCue[] {
  const time = seconds + ROUNDING_SECONDS;
  const due: VTTCue[] = [];
  for (const cue of cues) {
    if (cue.startTime > time) break;
    if (cue.endTime > time) due.push(cue);
  }
  return due;
}
