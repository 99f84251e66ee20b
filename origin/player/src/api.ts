/** What `GET /api/titles` answers. */

export interface Rendition {
  id: string;
  width: number;
  height: number;
  model: string;
  /** Whether the multivariant playlist has it: slow models wait until the title is warmed. */
  listed?: boolean;
}

export interface Title {
  id: string;
  /** Short, for people. */
  name: string;
  /** The multivariant playlist. */
  url: string;
  duration_seconds: number | null;
  source: { width: number; height: number; codec: string } | null;
  renditions: Rendition[];
  /** Why the title cannot be upscaled, or not be played at all. */
  error: string | null;
}

export async function fetchTitles(): Promise<Title[]> {
  const response = await fetch("/api/titles", { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`The list of titles could not be fetched (HTTP ${response.status}).`);
  return (await response.json()) as Title[];
}
