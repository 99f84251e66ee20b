/** What `GET /api/titles` answers. */

export interface Rendition {
  id: string;
  width: number;
  height: number;
  model: string;
  /** Whether the multivariant playlist has it: slow models wait until the title is warmed. */
  listed?: boolean;
}

/** A subtitle stream of a media file; the playlist's SUBTITLES renditions are in the same order. */
export interface SubtitleRow {
  id: string;
  name: string;
  language: string | null;
  default: boolean;
  forced: boolean;
  format: "ass" | "srt" | "mov_text" | "webvtt";
  /** The ASS script as it is in the file. */
  ass: string | null;
  fonts: { name: string; url: string }[];
}

export interface Title {
  id: string;
  /** Short, for people. */
  name: string;
  /** The multivariant playlist. */
  url: string;
  /** Absent where the row was not made by an origin. */
  status?: string;
  duration_seconds: number | null;
  /** PTS of the first frame, as it stands in the segments. */
  start_seconds?: number | null;
  source: { width: number; height: number; codec: string; frame_rate?: string | number } | null;
  renditions: Rendition[];
  /** Why the title cannot be upscaled, or not be played at all. */
  error: string | null;
  warnings?: string[];
  poster?: string | null;
  /** WebVTT whose cues point to tiles of sprites. */
  thumbnails?: string | null;
  subtitles?: SubtitleRow[];
  ass_offset_seconds?: number;
}

/** The list of the origin at `base`, with absolute URLs. */
export async function fetchTitles(base = location.origin, signal?: AbortSignal): Promise<Title[]> {
  const url = new URL("/api/titles", base);
  const response = await fetch(url, { headers: { Accept: "application/json" }, signal: signal ?? null });
  if (!response.ok) throw new Error(`The list of titles could not be fetched (HTTP ${response.status}).`);
  const titles = (await response.json()) as Title[];
  return titles.map((title) => absolute(title, url));
}

function absolute(title: Title, base: URL): Title {
  const resolve = <T extends string | null | undefined>(path: T) => (path ? new URL(path, base).href : path);
  return {
    ...title,
    url: new URL(title.url, base).href,
    poster: resolve(title.poster) ?? null,
    thumbnails: resolve(title.thumbnails) ?? null,
    subtitles: (title.subtitles ?? []).map((row) => ({
      ...row,
      ass: resolve(row.ass) ?? null,
      fonts: row.fonts.map((font) => ({ ...font, url: new URL(font.url, base).href })),
    })),
  };
}
