/** The player's own keys. */

import type { PlayerController } from "./controller";
import { make } from "./dom";
import type { Shell } from "./shell";

export function addKeys(player: PlayerController, shell: Shell, toggleSubtitles: () => void): void {
  const { video, keys } = player;
  const seek = (seconds: number) => () => seekBy(video, seconds);
  for (const key of [" ", "k"]) keys.add(key, "Play or pause", () => togglePlay(video));
  keys.add("ArrowLeft", "5 seconds back", seek(-5));
  keys.add("ArrowRight", "5 seconds on", seek(5));
  keys.add("j", "10 seconds back", seek(-10));
  keys.add("l", "10 seconds on", seek(10));
  keys.add(",", "One frame back", () => player.stepFrames(-1));
  keys.add(".", "One frame on", () => player.stepFrames(1));
  keys.add("ArrowUp", "Louder", () => turnVolume(video, 0.05));
  keys.add("ArrowDown", "Quieter", () => turnVolume(video, -0.05));
  keys.add("m", "Mute", () => (video.muted = !video.muted));
  keys.add("c", "Subtitles on or off", toggleSubtitles);
  keys.add("f", "Full screen", () => toggleFullscreen(shell.frame, video));
  keys.add("i", "Picture in picture", () => togglePictureInPicture(video));
  for (let digit = 0; digit <= 9; digit += 1) {
    keys.add(String(digit), "To that tenth of the title", () => seekTo(video, (digit / 10) * video.duration));
  }
  const help = make("dl", { class: "keys" });
  player.addMenu("keys", "Keyboard", help);
  shell.menu.addEventListener("toggle", () => {
    help.replaceChildren(...keys.all.map(([names, label]) => make("div", {}, make("dt", {}, names), make("dd", {}, label))));
  });
}

export function togglePlay(video: HTMLVideoElement): void {
  if (video.paused) void video.play().catch(() => undefined);
  else video.pause();
}

export function toggleFullscreen(frame: HTMLElement, video: HTMLVideoElement): void {
  const phone = video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (frame.requestFullscreen) void frame.requestFullscreen().catch(() => undefined);
  else phone.webkitEnterFullscreen?.();
}

function togglePictureInPicture(video: HTMLVideoElement): void {
  if (document.pictureInPictureElement) void document.exitPictureInPicture();
  else if (document.pictureInPictureEnabled) void video.requestPictureInPicture().catch(() => undefined);
}

function seekBy(video: HTMLVideoElement, seconds: number): void {
  seekTo(video, video.currentTime + seconds);
}

function seekTo(video: HTMLVideoElement, seconds: number): void {
  if (Number.isFinite(seconds)) video.currentTime = Math.min(Math.max(0, seconds), video.duration || 0);
}

function turnVolume(video: HTMLVideoElement, by: number): void {
  video.volume = Math.min(1, Math.max(0, video.volume + by));
  if (by > 0) video.muted = false;
}
