/** `/?title=…&t=…&variant=…`: what plays, from which frame, in which variant. */

import { LINK } from "../player/icons";
import { linkTime } from "../player/frames";
import type { PlayerController } from "../player/controller";

export interface Link {
  title: string | null;
  /** Seconds with decimals; the frame whose PTS covers it. */
  t: number | null;
  variant: string | null;
}

/** While it plays, the address follows in this step: browsers limit how often it may change. */
const STEP_SECONDS = 5;

export function read(search = location.search): Link {
  const parameters = new URLSearchParams(search);
  const t = Number.parseFloat(parameters.get("t") ?? "");
  return { title: parameters.get("title"), t: t >= 0 ? t : null, variant: parameters.get("variant") };
}

export function write({ title, t, variant }: Partial<Link>): string {
  const parameters = new URLSearchParams();
  if (title) parameters.set("title", title);
  if (t) parameters.set("t", linkTime(t));
  if (variant) parameters.set("variant", variant);
  return `?${parameters.toString().replaceAll("%2F", "/")}`;
}

/** Keeps the address at the frame on the screen, and adds the button that copies it. */
export function followPlayer(player: PlayerController): void {
  const { video } = player;
  let written = 0;
  const here = () =>
    write({ title: player.title?.id ?? null, t: player.titleTime, variant: player.chosenVariant?.id ?? null });
  const update = () => {
    // Until the picture is there, the address says what is wanted, not where the player is.
    if (!player.title || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.seeking) return;
    written = video.currentTime;
    const link = here();
    if (link !== location.search) history.replaceState(history.state, "", link);
  };
  for (const type of ["pause", "seeked"]) video.addEventListener(type, () => requestAnimationFrame(update));
  // The frame itself may come later than that.
  const followFrames = (): void => {
    video.requestVideoFrameCallback(() => {
      if (video.paused) update();
      followFrames();
    });
  };
  if ("requestVideoFrameCallback" in video) followFrames();
  video.addEventListener("timeupdate", () => {
    if (Math.abs(video.currentTime - written) >= STEP_SECONDS) update();
  });
  player.addEventListener("variants", update);

  const label = "Copy a link to this frame";
  const button = player.addButton("copy-link", label, () => void copy(), LINK);
  const copy = async () => {
    update();
    const url = new URL(here(), location.href).href;
    try {
      await navigator.clipboard.writeText(url);
      player.say("link", "The link to this frame is copied.");
    } catch {
      player.say("link", `The link to this frame: ${url}`);
    }
    setTimeout(() => player.say("link", null), 4_000);
    button.focus();
  };
}
