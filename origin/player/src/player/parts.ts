/** The parts of a player. Each is a chunk of its own, fetched when the first title plays. */

import type { Part, Player } from "../types";
import type { PlayerController } from "./controller";

type Loader = () => Promise<new (player: Player) => Part>;

/** In the order of their menus and buttons. One line each: `name: () => import("../x").then((m) => m.X)`. */
const PARTS: Record<string, Loader> = {
  subtitles: () => import("../subtitles").then((m) => m.Subtitles),
  filter: () => import("../filter").then((m) => m.FilterOverlay),
  auto: () => import("../auto").then((m) => m.AutoChoice),
  compare: () => import("../compare").then((m) => m.Compare),
  panel: () => import("../panel").then((m) => m.Panel),
};

/** A part that cannot be had leaves the others, and playback, alone. */
export async function mountParts(player: PlayerController): Promise<void> {
  const loaded = await Promise.allSettled(Object.values(PARTS).map((load) => load()));
  for (const [index, name] of Object.keys(PARTS).entries()) {
    const result = loaded[index];
    if (player.isDestroyed) return;
    try {
      if (result?.status !== "fulfilled") throw result?.reason;
      player.parts.push(new result.value(player));
    } catch (error) {
      console.warn(`The player goes without its part “${name}”:`, error);
    }
  }
}
