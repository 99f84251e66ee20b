/** What hls.js reads from subtitles and captions: kept here, as text tracks would need `data:` URLs. */

import Hls, { type CuesParsedData, type NonNativeTextTracksData } from "hls.js";
import type { Track } from "../types";

const { Events } = Hls;

export class CueStore {
  /** Captions within the video, once there are any. */
  readonly captions: Track[] = [];
  /** By rendition, or by the name that hls.js has for captions. */
  private readonly cues = new Map<unknown, VTTCue[]>();

  constructor(hls: Hls, onCaptions: () => void, onCues: () => void) {
    hls.on(Events.NON_NATIVE_TEXT_TRACKS_FOUND, (_event, data) => {
      if (this.find(data)) onCaptions();
    });
    hls.on(Events.CUES_PARSED, (_event, data) => {
      this.take(data);
      onCues();
    });
  }

  /** In the order of their start. `key` is a rendition of `hls.subtitleTracks`, or the id of captions. */
  of(key: unknown): readonly VTTCue[] {
    return this.cues.get(key) ?? [];
  }

  private find({ tracks }: NonNativeTextTracksData): boolean {
    const found = tracks.filter(({ _id, kind }) => _id && kind === "captions");
    for (const { _id, label, closedCaptions } of found) {
      const language = (closedCaptions as { lang?: string } | undefined)?.lang ?? null;
      this.captions.push({ id: String(_id), index: -1, label, language, row: null });
    }
    return found.length > 0;
  }

  /** A segment may be fetched twice, and a cue may be in two segments. */
  private take({ type, cues, track, subtitleTrack }: CuesParsedData): void {
    const key = type === "captions" ? track : subtitleTrack;
    const kept = this.cues.get(key) ?? [];
    const known = new Set(kept.map(name));
    kept.push(...(cues as VTTCue[]).filter((cue) => !known.has(name(cue))));
    kept.sort((a, b) => a.startTime - b.startTime || b.endTime - a.endTime);
    this.cues.set(key, kept);
  }
}

function name({ startTime, endTime, text, line }: VTTCue): string {
  return [startTime, endTime, line, text].join("|");
}
