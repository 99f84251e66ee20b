/** `<upscale-player src="…">`. */

import { fetchTitles, type Title } from "../api";
import { PlayerController } from "./controller";
import { mountParts } from "./parts";
import { buildShell } from "./shell";

const LIST_PATIENCE_MS = 5_000;

export class UpscalePlayerElement extends HTMLElement {
  static readonly observedAttributes = ["src"];
  private alive: PlayerController | null = null;
  private loading = new AbortController();

  /** For scripts of the page: see `Player` in types.ts. Another one after the element was removed. */
  get player(): PlayerController {
    this.alive ??= this.build();
    return this.alive;
  }

  connectedCallback(): void {
    if (this.hasAttribute("muted")) this.player.video.muted = true;
    this.follow();
  }

  /** An element that was only moved is connected again by then. */
  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.loading.abort();
      this.alive?.destroy();
      this.alive = null;
    });
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.follow();
  }

  /** Gives the keyboard to the player. */
  override focus(options?: FocusOptions): void {
    this.player.shell.frame.focus(options);
  }

  private build(): PlayerController {
    const player = new PlayerController(buildShell(this), this);
    player.addEventListener("title", () => void mountParts(player), { once: true });
    for (const type of ["title", "variant"]) {
      player.addEventListener(type, () => this.dispatchEvent(new CustomEvent(`player-${type}`, { bubbles: true })));
    }
    return player;
  }

  /** Loads what `src` names, unless that is what plays. */
  private follow(): void {
    const src = this.getAttribute("src");
    const url = src === null ? null : new URL(src, document.baseURI).href;
    if (url === (this.player.title?.url ?? null)) return;
    this.loading.abort();
    this.loading = new AbortController();
    if (url) void this.open(url, this.loading.signal);
    else this.player.load(null);
  }

  /** What the origin knows of the title: its poster, thumbnails, subtitles. Any other HLS plays without. */
  private async open(url: string, signal: AbortSignal): Promise<void> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(LIST_PATIENCE_MS)]);
    const titles = await fetchTitles(url, patience).catch(() => []);
    if (signal.aborted) return;
    const at = Number.parseFloat(this.getAttribute("t") ?? "");
    this.player.load(titles.find((title) => title.url === url) ?? unknownTitle(url, this.getAttribute("title")), {
      at: at > 0 ? at : null,
      variant: this.getAttribute("variant"),
      play: this.hasAttribute("autoplay"),
    });
  }
}

function unknownTitle(url: string, name: string | null): Title {
  return {
    id: url,
    name: name ?? decodeURIComponent(new URL(url).pathname.split("/").at(-2) ?? url),
    url,
    duration_seconds: null,
    source: null,
    renditions: [],
    error: null,
  };
}

if (!customElements.get("upscale-player")) customElements.define("upscale-player", UpscalePlayerElement);
