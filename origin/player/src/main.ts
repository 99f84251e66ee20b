import Hls from "hls.js";
import { fetchTitles, type Title } from "./api";
import { createEngine } from "./engine";
import { explain, NO_MSE } from "./messages";
import { legend, SegmentLog } from "./segments";
import { variantLabel } from "./variants";

interface RecordedError {
  type: string;
  details: string;
  fatal: boolean;
  reason: string;
}

/** For tests, and for the curious in the console. */
interface Player {
  titles: Title[];
  errors: RecordedError[];
  segments: SegmentLog["all"];
  play(id: string): void;
}

declare global {
  interface Window {
    hls: Hls | null;
    player: Player;
  }
}

const AUTO = "-1";

const video = find<HTMLVideoElement>("video");
const variant = find<HTMLSelectElement>("variant");
const audio = find<HTMLSelectElement>("audio");
const log = new SegmentLog(find<HTMLTableSectionElement>("segments"));

window.hls = null;
window.player = { titles: [], errors: [], segments: log.all, play };

function find<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function play(id: string): void {
  const title = window.player.titles.find((candidate) => candidate.id === id);
  window.hls?.destroy();
  window.hls = null;
  log.clear();
  window.player.errors.length = 0;
  if (!title) return say(`There is no title “${id}”.`);
  say(title.error);
  find("now-playing").textContent = title.name;
  markPlaying(title);
  history.replaceState(null, "", `#${title.id}`);
  if (!Hls.isSupported()) return playNatively(title);
  window.hls = start(title);
}

function start(title: Title): Hls {
  const hls = createEngine(title.id);
  hls.on(Hls.Events.ERROR, (_event, data) => {
    const { type, details, fatal } = data;
    window.player.errors.push({ type, details, fatal, reason: String(data.reason ?? data.error) });
    const text = explain(data);
    if (text) say(text);
  });
  const showLevels = (): void => listVariants(hls);
  hls.on(Hls.Events.MANIFEST_PARSED, showLevels);
  hls.on(Hls.Events.LEVELS_UPDATED, showLevels);
  hls.on(Hls.Events.LEVEL_SWITCHED, showLevels);
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => listAudio(hls));
  hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, () => listAudio(hls));
  log.watch(hls);
  hls.loadSource(title.url);
  hls.attachMedia(video);
  // A browser that wants a click first has its own play button.
  video.play().catch(() => undefined);
  return hls;
}

function playNatively(title: Title): void {
  if (!video.canPlayType("application/vnd.apple.mpegurl")) return say(NO_MSE);
  video.src = title.url;
}

function say(text: string | null): void {
  find("messages").textContent = text;
}

function listVariants(hls: Hls): void {
  const current = hls.levels[hls.currentLevel];
  const playing = current ? ` (${variantLabel(current, hls.levels)})` : "";
  const automatic = hls.autoLevelEnabled;
  variant.replaceChildren(
    new Option(`Auto${automatic ? playing : ""}`, AUTO, automatic, automatic),
    ...hls.levels.map((level, index) => {
      const chosen = !automatic && index === hls.nextLevel;
      return new Option(variantLabel(level, hls.levels), String(index), chosen, chosen);
    }),
  );
  variant.disabled = false;
}

function listAudio(hls: Hls): void {
  audio.replaceChildren(
    ...hls.audioTracks.map((track, index) => {
      const chosen = index === hls.audioTrack;
      return new Option(track.name || track.lang || `Track ${index + 1}`, String(index), chosen, chosen);
    }),
  );
  find("audio-label").hidden = hls.audioTracks.length < 2;
}

function listTitles(titles: Title[]): void {
  find("titles").replaceChildren(...titles.map(titleItem));
  find("credit").hidden = !titles.some((title) => title.id.includes("bunny"));
  if (!titles.length) say("This library has no titles yet.");
}

function titleItem(title: Title): HTMLLIElement {
  const button = document.createElement("button");
  button.dataset.id = title.id;
  button.append(text("strong", title.name), text("span", summary(title)));
  if (title.error) button.append(text("em", title.error));
  button.addEventListener("click", () => play(title.id));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function summary({ duration_seconds, source, renditions }: Title): string {
  const parts = [];
  if (duration_seconds) parts.push(clock(duration_seconds));
  if (source) parts.push(`${source.height}p ${source.codec}`);
  for (const { height, model, listed } of renditions) {
    parts.push(`→ ${height}p ${model}${listed === false ? " once warmed" : ""}`);
  }
  return parts.join(" · ");
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function text(tag: string, content: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = content;
  return element;
}

function markPlaying(title: Title): void {
  for (const button of find("titles").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.id === title.id));
  }
}

function showDecodedSize(): void {
  find("decoded").textContent = video.videoWidth ? `${video.videoWidth}×${video.videoHeight}` : "";
}

variant.addEventListener("change", () => {
  if (window.hls) window.hls.nextLevel = Number(variant.value);
});
audio.addEventListener("change", () => {
  if (window.hls) window.hls.audioTrack = Number(audio.value);
});
video.addEventListener("resize", showDecodedSize);
video.addEventListener("emptied", showDecodedSize);
find("legend").replaceChildren(...legend());

try {
  say("Reading the library…");
  window.player.titles = await fetchTitles();
  say(null);
  listTitles(window.player.titles);
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (wanted) play(wanted);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
}
