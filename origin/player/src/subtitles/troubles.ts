/** What goes wrong with WebVTT, in words for a viewer; playback goes on. */

import Hls, { type ErrorData, type FragLoadedData, type SubtitleFragProcessedData } from "hls.js";
import { isAboutSubtitles } from "../player/messages";
import { failureOf } from "../player/subtitle-loader";
import type { Player } from "../types";

const { Events } = Hls;

/** Returns what ends the watch. */
export function watchTroubles(player: Player, hls: Hls, say: (message: string) => void): () => void {
  const name = (): string => {
    const track = hls.subtitleTracks[hls.subtitleTrack];
    return track ? `subtitles “${track.name}”` : "subtitles";
  };
  const onError = (_event: string, data: ErrorData): void => {
    if (!isAboutSubtitles(data) || !data.fatal) return;
    const status = data.response?.code;
    say(`The ${name()} could not be fetched${status ? ` (HTTP ${status})` : ""}.`);
    goOnWithout(player, hls);
  };
  const onLoaded = (_event: string, { frag, payload }: FragLoadedData): void => {
    const failure = frag.type === "subtitle" ? failureOf(payload) : null;
    if (failure) say(`A part of the ${name()} cannot be shown (${failure}).`);
  };
  const onProcessed = (_event: string, { success }: SubtitleFragProcessedData): void => {
    if (!success) say(`A part of the ${name()} is broken and is not shown.`);
  };
  hls.on(Events.ERROR, onError);
  hls.on(Events.FRAG_LOADED, onLoaded);
  hls.on(Events.SUBTITLE_FRAG_PROCESSED, onProcessed);
  return () => {
    hls.off(Events.ERROR, onError);
    hls.off(Events.FRAG_LOADED, onLoaded);
    hls.off(Events.SUBTITLE_FRAG_PROCESSED, onProcessed);
  };
}

/** hls.js takes a missing subtitle playlist for the end of everything, and for a fault of the variant. */
function goOnWithout(player: Player, hls: Hls): void {
  player.chooseSubtitle(null);
  // It has left a variant that was chosen by hand. Unlike `nextLevel`, this throws no segments away.
  if (player.chosenVariant) hls.loadLevel = player.chosenVariant.index;
  hls.startLoad();
}
