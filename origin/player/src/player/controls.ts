/** The control bar, its menus and the keyboard, kept in step with the player. */

import type { Title } from "../api";
import type { Track } from "../types";
import type { PlayerController } from "./controller";
import { icon, make } from "./dom";
import { addKeys } from "./shortcuts";
import { followPointer } from "./pointer";
import { RadioGroup } from "./radio-group";
import type { TrackPreference } from "./session";
import type { Shell } from "./shell";

const AUTO = "auto";
const OFF = "off";
const RATES = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];

export class Controls {
  private readonly variantChoices: RadioGroup;
  private readonly audioChoices: RadioGroup;
  private readonly subtitleChoices: RadioGroup;
  private readonly rateChoices: RadioGroup;
  private readonly sayVariant: (summary: string) => void;
  private readonly sayAudio: (summary: string) => void;
  private readonly saySubtitle: (summary: string) => void;
  private readonly sayRate: (summary: string) => void;
  private lastSubtitle: string | null = null;

  constructor(
    private readonly player: PlayerController,
    private readonly shell: Shell,
  ) {
    const { menu, video } = player;
    this.variantChoices = new RadioGroup("Variant", (value) => this.chooseVariant(value === AUTO ? null : value));
    this.audioChoices = new RadioGroup("Audio", (value) => this.chooseAudio(value));
    this.subtitleChoices = new RadioGroup("Subtitles", (value) => this.chooseSubtitle(value === OFF ? null : value));
    this.rateChoices = new RadioGroup("Speed", (value) => (video.playbackRate = Number(value)));
    this.sayVariant = menu.add("variant", "Variant", this.variantChoices.element);
    this.sayAudio = menu.add("audio", "Audio", this.audioChoices.element);
    this.saySubtitle = menu.add("subtitles", "Subtitles", this.subtitleChoices.element);
    this.sayRate = menu.add("speed", "Speed", this.rateChoices.element);
    menu.opens(shell.variantButton, "variant");
    shell.subtitlesButton.addEventListener("click", () => this.toggleSubtitles());
    player.addEventListener("variants", () => this.showVariants());
    player.addEventListener("variant", () => this.showVariants());
    player.addEventListener("tracks", () => this.showTracks());
    player.addEventListener("layout", () => this.fit());
    video.addEventListener("ratechange", () => this.showRate());
    this.keepVolume();
    this.showRate();
    addKeys(player, shell, () => this.toggleSubtitles());
    followPointer(player, shell);
  }

  showTitle(title: Title | null): void {
    const { video } = this.player;
    for (const track of video.querySelectorAll("track")) track.remove();
    video.poster = title?.poster ?? "";
    if (!title?.poster) video.removeAttribute("poster");
    if (title?.thumbnails) {
      video.append(make("track", { kind: "metadata", label: "thumbnails", src: title.thumbnails, default: "" }));
    }
    this.shell.controller.setAttribute("aria-label", title ? `Player: ${title.name}` : "Player");
    if (title && "mediaSession" in navigator) {
      const artwork = title.poster ? [{ src: title.poster }] : [];
      navigator.mediaSession.metadata = new MediaMetadata({ title: title.name, artwork });
    }
  }

  addButton(name: string, label: string, onClick: () => void, iconPath?: string): HTMLButtonElement {
    const content = iconPath ? icon(iconPath) : label;
    const attributes = { type: "button", class: iconPath ? "button" : "button worded", "data-part": name };
    const button = make("button", { ...attributes, "aria-label": label, title: label }, content);
    button.addEventListener("click", onClick);
    this.shell.buttons.append(button);
    return button;
  }

  private chooseVariant(id: string | null): void {
    this.player.chooseVariant(id);
    this.player.remember("variant", id);
  }

  private chooseAudio(id: string): void {
    this.player.chooseAudio(id);
    this.player.remember("audio", preferenceOf(this.player.audioTracks, id));
  }

  private chooseSubtitle(id: string | null): void {
    this.player.chooseSubtitle(id);
    this.player.remember("subtitles", preferenceOf(this.player.subtitleTracks, id));
  }

  private toggleSubtitles(): void {
    const { subtitleTrack, subtitleTracks } = this.player;
    if (subtitleTrack) this.chooseSubtitle(null);
    else this.chooseSubtitle(this.lastSubtitle ?? subtitleTracks[0]?.id ?? null);
  }

  private showVariants(): void {
    const { variants, currentVariant, chosenVariant } = this.player;
    const now = currentVariant ? `now ${currentVariant.label}` : "chosen as the network allows";
    const choices = variants.map(({ id, label, width, height, bitrate }) => {
      const rate = bitrate ? ` · ${megabits(bitrate)}` : "";
      return { value: id, label, note: width ? `${width}×${height}${rate}` : "" };
    });
    this.variantChoices.update([{ value: AUTO, label: "Automatic", note: now }, ...choices], chosenVariant?.id ?? AUTO);
    this.sayVariant(chosenVariant?.label ?? (currentVariant ? `Automatic · ${currentVariant.label}` : "Automatic"));
    this.player.menu.offer("variant", variants.length > 0);
    const { variantButton } = this.shell;
    const shown = currentVariant ?? chosenVariant;
    variantButton.hidden = !shown;
    variantButton.textContent = shown?.label ?? "";
    variantButton.setAttribute("aria-label", `Variant: ${shown?.label ?? "automatic"}. Choose another`);
    variantButton.dataset.madeBy = shown?.madeBy ?? "";
  }

  private showTracks(): void {
    const { player } = this;
    const audio = player.audioTracks.map(({ id, label }) => ({ value: id, label }));
    this.audioChoices.update(audio, player.audioTrack?.id ?? "");
    this.sayAudio(player.audioTrack?.label ?? "");
    player.menu.offer("audio", audio.length > 1);
    const subtitles = player.subtitleTracks.map(({ id, label }) => ({ value: id, label }));
    const { subtitleTrack } = player;
    this.lastSubtitle = subtitleTrack?.id ?? this.lastSubtitle;
    this.subtitleChoices.update([{ value: OFF, label: "Off" }, ...subtitles], subtitleTrack?.id ?? OFF);
    this.saySubtitle(subtitleTrack?.label ?? "Off");
    player.menu.offer("subtitles", subtitles.length > 0);
    this.shell.subtitlesButton.hidden = subtitles.length === 0;
    this.shell.subtitlesButton.setAttribute("aria-pressed", String(subtitleTrack !== null));
  }

  private showRate(): void {
    const { playbackRate } = this.player.video;
    const choices = RATES.map((rate) => ({ value: String(rate), label: rateLabel(rate) }));
    this.rateChoices.update(choices, String(playbackRate));
    this.sayRate(rateLabel(playbackRate));
  }

  /** Buttons of the parts go where there is room. */
  private fit(): void {
    const { shell, player } = this;
    shell.frame.classList.toggle("narrow", player.menu.isNarrow);
    if (player.menu.isNarrow) player.menu.takeIn(shell.buttons);
    else shell.variantButton.after(shell.buttons);
  }

  private keepVolume(): void {
    const { player } = this;
    const { video } = player;
    const kept = player.recall<{ volume: number; muted: boolean }>("volume");
    if (kept) {
      video.volume = Math.min(1, Math.max(0, Number(kept.volume) || 0));
      video.muted = kept.muted;
    }
    video.addEventListener("volumechange", () => {
      player.remember("volume", { volume: video.volume, muted: video.muted });
    });
  }
}

function preferenceOf(tracks: Track[], id: string | null): TrackPreference {
  const track = tracks.find((candidate) => candidate.id === id);
  return { language: track?.language ?? null, label: track?.label ?? null };
}

const rateLabel = (rate: number): string => (rate === 1 ? "Normal" : `${rate}×`);

const megabits = (bits: number): string =>
  bits < 1e6 ? `${Math.round(bits / 1000)} kb/s` : `${(bits / 1e6).toFixed(1)} Mb/s`;
