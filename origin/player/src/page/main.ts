/** The page at `/`: the library, and the player for what is chosen of it. */

import { fetchTitles, type Title } from "../api";
import type { PlayerController } from "../player/controller";
import { UpscalePlayerElement } from "../player/element";
import { Library } from "./library";
import { followPlayer, read, write } from "./link";
import { describe } from "./words";

declare global {
  interface Window {
    /** For tests, and for the curious in the console. */
    player: PlayerController;
  }
}

interface Start {
  play?: boolean;
  variant?: string | null;
}

const POLL_MS = { first: 1_000, most: 10_000 };

const element = document.querySelector("upscale-player") as UpscalePlayerElement;
const { player } = element;
const library = new Library(find("library"), (id) => choose(id, { play: true }));
let titles: Title[] = [];
/** How to start the title that is shown, once it is prepared. */
let awaited: Start | null = null;

window.player = player;

function find<T extends HTMLElement>(part: string): T {
  return document.querySelector(`[data-part="${part}"]`) as T;
}

/** Plays a title because a person said so. */
function choose(id: string, start: Start): void {
  history.pushState(null, "", write({ title: id }));
  show({ ...start, variant: player.recall<string>("variant") });
  window.scrollTo({ top: 0, behavior: "smooth" });
  // The keys are the player's from here on.
  element.focus({ preventScroll: true });
}

/** Shows what the address names. */
function show(start: Start = {}): void {
  const link = read();
  const title = titles.find(({ id }) => id === link.title) ?? null;
  find("stage").hidden = title === null;
  document.body.dataset.view = title ? "watch" : "library";
  document.title = title ? `${title.name} – upscale-origin` : "upscale-origin";
  find("name").textContent = title?.name ?? "";
  find("facts").textContent = title ? describe(title) : "";
  find("warnings").textContent = title?.warnings?.join(" ") ?? "";
  library.mark(title?.id ?? null);
  say(link.title && !title ? `There is no title “${link.title}” here. Choose another.` : null);
  awaited = title?.status === "preparing" ? start : null;
  if (title && awaited) {
    player.load(null);
    return player.say("title", "This title is being prepared, and plays as soon as it is ready.");
  }
  player.load(title, { at: link.t, variant: link.variant ?? start.variant ?? null, play: start.play ?? link.t === null });
}

function say(message: string | null): void {
  find("message").textContent = message;
}

/** The list, again and again while titles are being prepared. */
async function keepListed(wait = POLL_MS.first): Promise<void> {
  titles = await fetchTitles();
  library.show(titles);
  if (awaited && titles.find(({ id }) => id === read().title)?.status !== "preparing") show(awaited);
  if (!titles.some(({ status }) => status === "preparing")) return;
  setTimeout(() => void keepListed(Math.min(POLL_MS.most, wait * 1.5)).catch(() => undefined), wait);
}

find("home").addEventListener("click", (event) => {
  event.preventDefault();
  history.pushState(null, "", location.pathname);
  show();
});
window.addEventListener("popstate", () => show());
document.addEventListener("keydown", (event) => event.target === document.body && player.keys.press(event));
document.addEventListener("keyup", (event) => event.target === document.body && player.keys.release(event));
followPlayer(player);

try {
  await keepListed();
  find("credit").hidden = !titles.some((title) => title.id.includes("bunny"));
  show();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
}
