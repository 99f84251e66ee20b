/** What goes wrong with WebVTT, in words for a viewer; playback goes on. */

import Hls, { type ErrorData, type SubtitleFragProcessedData } from "hls.js";

const { ErrorDetails, Events } = Hls;

const PLAYLIST_ERRORS: readonly string[] = [
  ErrorDetails.SUBTITLE_LOAD_ERROR,
  ErrorDetails.SUBTITLE_TRACK_LOAD_TIMEOUT,
];

/** Returns what ends the watch. */
export function watchTroubles(hls: Hls, say: (message: string) => void): () => void {
  const name = (): string => {
    const track = hls.subtitleTracks[hls.subtitleTrack];
    return track ? `subtitles “${track.name}”` : "subtitles";
  };
  const onError = (_event: string, data: ErrorData): void => {
    if (!isAboutSubtitles(data)) return;
    const status = data.response?.code;
    say(`The ${name()} could not be fetched${status ? ` (HTTP ${status})` : ""}.`);
  };
  const onProcessed = (_event: string, { success }: SubtitleFragProcessedData): void => {
    if (!success) say(`A part of the ${name()} is broken and is not shown.`);
  };
  hls.on(Events.ERROR, onError);
  hls.on(Events.SUBTITLE_FRAG_PROCESSED, onProcessed);
  return () => {
    hls.off(Events.ERROR, onError);
    hls.off(Events.SUBTITLE_FRAG_PROCESSED, onProcessed);
  };
}

/** For whoever speaks of other errors: these are spoken of here. */
export function isAboutSubtitles({ details, frag }: ErrorData): boolean {
  return PLAYLIST_ERRORS.includes(details) || frag?.type === "subtitle";
}
