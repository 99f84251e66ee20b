/** The elements of a player, in its shadow root. */

import "media-chrome/media-control-bar";
import "media-chrome/media-controller";
import "media-chrome/media-fullscreen-button";
import "media-chrome/media-loading-indicator";
import "media-chrome/media-mute-button";
import "media-chrome/media-pip-button";
import "media-chrome/media-play-button";
import "media-chrome/media-preview-thumbnail";
import "media-chrome/media-preview-time-display";
import "media-chrome/media-time-display";
import "media-chrome/media-time-range";
import "media-chrome/media-volume-range";

import { icon, make } from "./dom";
import { SETTINGS, SUBTITLES } from "./icons";
import css from "./player.css?inline";
import { sheetOf } from "./shadow";

/** An empty title keeps the tooltip of the host's own `title` attribute off the picture. */
const HTML = `
<div class="player" data-part="player" title="">
  <div class="frame" data-part="frame" tabindex="-1">
    <media-controller nohotkeys gesturesdisabled novolumepref nosubtitleslangpref autohide="3">
      <video slot="media" playsinline crossorigin="anonymous"></video>
      <div slot="media" class="layers" data-part="layers"></div>
      <media-loading-indicator slot="centered-chrome" noautohide></media-loading-indicator>
      <div class="controls" data-part="controls">
        <media-time-range data-part="seek"></media-time-range>
        <media-control-bar data-part="bar">
          <media-play-button notooltip></media-play-button>
          <media-mute-button notooltip></media-mute-button>
          <media-volume-range></media-volume-range>
          <media-time-display showduration notoggle></media-time-display>
          <span class="spring"></span>
          <button type="button" class="chip" data-part="variant-button" hidden></button>
          <span class="buttons" data-part="buttons"></span>
          <button type="button" class="button" data-part="subtitles-button" aria-label="Subtitles" aria-pressed="false" hidden></button>
          <button type="button" class="button" data-part="settings-button" aria-label="Settings" aria-haspopup="dialog" aria-expanded="false"></button>
          <media-pip-button notooltip></media-pip-button>
          <media-fullscreen-button notooltip></media-fullscreen-button>
        </media-control-bar>
      </div>
    </media-controller>
    <div class="messages" data-part="messages" role="status" aria-live="polite"></div>
    <div class="menu" data-part="menu" role="dialog" aria-label="Settings" popover="auto"></div>
  </div>
  <div class="below" data-part="below"></div>
</div>`;

export interface Shell {
  root: ShadowRoot;
  frame: HTMLElement;
  controller: HTMLElement & { fullscreenElement: HTMLElement };
  video: HTMLVideoElement;
  layers: HTMLElement;
  controls: HTMLElement;
  buttons: HTMLElement;
  variantButton: HTMLButtonElement;
  subtitlesButton: HTMLButtonElement;
  settingsButton: HTMLButtonElement;
  messages: HTMLElement;
  menu: HTMLElement;
  below: HTMLElement;
}

export function buildShell(host: HTMLElement): Shell {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheetOf(css)];
  const template = make("template");
  template.innerHTML = HTML;
  root.replaceChildren(document.importNode(template.content, true));
  const part = <T extends HTMLElement>(name: string) => root.querySelector(`[data-part="${name}"]`) as T;
  const shell: Shell = {
    root,
    frame: part("frame"),
    controller: root.querySelector("media-controller") as Shell["controller"],
    video: root.querySelector("video") as HTMLVideoElement,
    layers: part("layers"),
    controls: part("controls"),
    buttons: part("buttons"),
    variantButton: part("variant-button"),
    subtitlesButton: part("subtitles-button"),
    settingsButton: part("settings-button"),
    messages: part("messages"),
    menu: part("menu"),
    below: part("below"),
  };
  shell.controller.fullscreenElement = shell.frame;
  shell.subtitlesButton.append(icon(SUBTITLES));
  shell.settingsButton.append(icon(SETTINGS));
  return shell;
}
