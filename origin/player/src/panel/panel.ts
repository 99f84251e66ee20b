/** Under the hood: what plays, how well, and how each segment came. */

import { icon, make } from "../player/dom";
import { CLOSE } from "../player/icons";
import type { Part, Player } from "../types";
import css from "./panel.css?inline";
import { Sampler } from "./sampler";
import { STAGES } from "./segments";
import { Tile } from "./tile";
import { type Scale, Waterfall } from "./waterfall";
import { bitRate, milliseconds } from "./words";

const SAMPLE_MS = 500;
const LIVE_MS = 125;
/** Where less of it is seen, the page scrolls to it. */
const LEAST_SEEN_PIXELS = 160;
const ICON = "M3 17.2h3.4v1.6H3zm0-4h7.4v1.6H3zm5-4h8v1.6H8zm6-4h7v1.6h-7z";

export class Panel implements Part {
  private readonly button: HTMLButtonElement;
  private readonly element: HTMLElement;
  private readonly waterfall = new Waterfall();
  private readonly sampler: Sampler;
  private readonly tiles = {
    buffer: new Tile("buffer", "Buffer ahead", 2),
    bandwidth: new Tile("bandwidth", "Bandwidth estimate"),
    frames: new Tile("frames", "Frames"),
    gpu: new Tile("gpu", "GPU per frame"),
    variant: new Tile("variant", "Variant"),
  };
  private readonly cmcd = make("span", { class: "chip", "data-part": "panel-cmcd" });
  private readonly sampling: number;
  private live = 0;

  constructor(private readonly player: Player) {
    player.addStyles(css);
    this.sampler = new Sampler(player);
    this.button = player.addButton("panel", "Under the hood", () => this.toggle(), ICON);
    this.element = this.build();
    player.below.append(this.element);
    player.addEventListener("title", this.restart);
    player.addEventListener("variant", this.note);
    player.log.addEventListener("change", this.draw);
    this.sampling = window.setInterval(() => this.sample(), SAMPLE_MS);
    this.note();
    this.show(player.recall<boolean>("panel") ?? false);
  }

  destroy(): void {
    window.clearInterval(this.sampling);
    window.clearInterval(this.live);
    this.player.removeEventListener("title", this.restart);
    this.player.removeEventListener("variant", this.note);
    this.player.log.removeEventListener("change", this.draw);
    this.element.remove();
    this.button.remove();
  }

  private toggle(): void {
    this.show(this.element.hidden === true);
    this.player.remember("panel", !this.element.hidden);
    if (this.element.getBoundingClientRect().top > innerHeight - LEAST_SEEN_PIXELS) {
      this.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    }
  }

  private show(isOpen: boolean): void {
    this.element.hidden = !isOpen;
    this.button.setAttribute("aria-pressed", String(isOpen));
    window.clearInterval(this.live);
    if (!isOpen) return;
    this.live = window.setInterval(this.draw, LIVE_MS);
    this.draw();
    this.sample();
  }

  private readonly restart = (): void => {
    this.sampler.clear();
    this.draw();
  };

  private readonly note = (): void => this.sampler.noteVariant();

  private readonly draw = (): void => {
    if (this.element.hidden || document.hidden) return;
    this.player.log.refresh();
    this.waterfall.show(this.player.log.requests);
  };

  private sample(): void {
    const sample = this.sampler.take();
    if (this.element.hidden) return;
    const { samples, switches } = this.sampler;
    const { tiles } = this;
    const { hls, currentVariant } = this.player;
    const second = sample.secondBuffer === null ? "" : `second side ${sample.secondBuffer.toFixed(1)} s`;
    tiles.buffer.show(
      `${sample.buffer.toFixed(1)} s`,
      second,
      samples.map(({ buffer }) => buffer),
      samples.map(({ secondBuffer }) => secondBuffer),
    );
    tiles.bandwidth.show(
      sample.bandwidth === null ? "–" : bitRate(sample.bandwidth),
      currentVariant ? `variant: ${bitRate(currentVariant.bitrate)}` : "",
      samples.map(({ bandwidth }) => bandwidth),
    );
    tiles.frames.show(
      sample.frameRate === null || this.player.video.paused ? "–" : `${sample.frameRate.toFixed(0)} fps`,
      `${sample.dropped} dropped of ${sample.decoded}`,
      samples.map(({ frameRate }) => frameRate),
    );
    tiles.gpu.show(
      sample.gpuMilliseconds === null ? "–" : `${sample.gpuMilliseconds.toFixed(1)} ms`,
      sample.gpuMilliseconds === null ? "no filter runs" : `a frame lasts ${milliseconds(this.player.frameSeconds * 1000)}`,
      samples.map(({ gpuMilliseconds }) => gpuMilliseconds),
    );
    tiles.variant.show(
      currentVariant?.label ?? "–",
      `${switches} ${switches === 1 ? "switch" : "switches"}`,
      samples.map(({ height }) => height),
    );
    this.cmcd.textContent = hls?.config.cmcd ? "CMCD on" : "CMCD off";
  }

  private build(): HTMLElement {
    const close = make("button", { type: "button", class: "close", "aria-label": "Close", title: "Close" }, icon(CLOSE));
    close.addEventListener("click", () => {
      this.toggle();
      this.button.focus();
    });
    const legend = [...STAGES, "other", "transfer"].map((name) => make("li", {}, make("i", { class: legendClass(name) }), name));
    return make(
      "section",
      { class: "hood", "data-part": "panel-body", "aria-label": "Under the hood" },
      make("header", {}, make("h2", {}, "Under the hood"), this.cmcd, close),
      make("div", { class: "tiles" }, ...Object.values(this.tiles).map(({ element }) => element)),
      make("div", { class: "bars-head" }, make("ul", { class: "legend", "aria-label": "Colours of the bars" }, ...legend), this.scales()),
      this.waterfall.element,
    );
  }

  private scales(): HTMLElement {
    const group = make("div", { class: "scales", role: "group", "aria-label": "Bars" });
    const buttons: [Scale, string][] = [
      ["time", "over time"],
      ["request", "from request"],
    ];
    const elements = buttons.map(([scale, label]) => {
      const button = make("button", { type: "button", "data-part": `panel-by-${scale}`, "aria-pressed": String(scale === "time") }, label);
      button.addEventListener("click", () => {
        this.waterfall.scale = scale;
        for (const each of elements) each.setAttribute("aria-pressed", String(each === button));
        this.draw();
      });
      return button;
    });
    group.append(...elements);
    return group;
  }
}

const legendClass = (name: string): string => (name === "other" || name === "transfer" ? name : `stage-${name}`);
