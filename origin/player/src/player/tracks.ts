/** Audio and subtitle renditions, by hls.js or by the browser. */

import type Hls from "hls.js";
import type { MediaPlaylist } from "hls.js";
import type { Title } from "../api";
import type { Track } from "../types";

export function audioTracksOf(hls: Hls): Track[] {
  return hls.audioTracks.map((track, index) => trackOf(track, index, "Audio"));
}

/** The rows of a title are in the order of its playlist. */
export function subtitleTracksOf(hls: Hls, title: Title | null): Track[] {
  const rows = title?.subtitles ?? [];
  return hls.subtitleTracks.map((track, index) => ({
    ...trackOf(track, index, "Subtitles"),
    row: rows.length === hls.subtitleTracks.length ? (rows[index] ?? null) : null,
  }));
}

function trackOf({ name, lang }: MediaPlaylist, index: number, kind: string): Track {
  const label = name || (lang && languageName(lang)) || `${kind} ${index + 1}`;
  return { id: String(index), index, label, language: lang ?? null, row: null };
}

/** Text tracks of a browser that plays HLS by itself. */
export function nativeSubtitleTracks(video: HTMLVideoElement): Track[] {
  return subtitleTextTracks(video).map(({ label, language }, index) => ({
    id: String(index),
    index,
    label: label || languageName(language) || `Subtitles ${index + 1}`,
    language: language || null,
    row: null,
  }));
}

export function subtitleTextTracks(video: HTMLVideoElement): TextTrack[] {
  return Array.from(video.textTracks).filter(({ kind }) => kind === "subtitles" || kind === "captions");
}

export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}
