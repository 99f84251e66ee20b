/** Mouse and touch on the picture: a click plays or pauses, two go full screen, a tap shows the controls. */

import type { PlayerController } from "./controller";
import type { Shell } from "./shell";
import { toggleFullscreen, togglePlay } from "./shortcuts";

export function followPointer(player: PlayerController, shell: Shell): void {
  const { video, layers } = player;
  let menuWasOpen = false;
  const onPicture = (event: Event) => event.target === video || event.target === layers;
  shell.controller.addEventListener("pointerdown", () => {
    menuWasOpen = shell.settingsButton.getAttribute("aria-expanded") === "true";
  });
  shell.controller.addEventListener("click", (event) => {
    const touched = (event as PointerEvent).pointerType === "touch";
    if (onPicture(event) && !touched && !menuWasOpen) togglePlay(video);
  });
  shell.controller.addEventListener("dblclick", (event) => {
    if (onPicture(event)) toggleFullscreen(shell.frame, video);
  });
}
