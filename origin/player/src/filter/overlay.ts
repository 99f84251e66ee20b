/** Anime4K over the playing video: switches it, watches that it keeps up, and falls back when it cannot. */

import type { FilterSettings, FrameFilter, Part, Player, Size } from "../types";
import css from "./filter.css?inline";
import type { GpuFilter } from "./gpu";
import { FILTER } from "./icons";
import { FilterMenu } from "./menu";
import { openFilter, probe } from "./open";
import { Pace } from "./pace";
import { cost, findPreset, plan, stepped } from "./presets";
import { Runner } from "./runner";
import { complete, type FilterChoice } from "./settings";
import { targetSize } from "./target";
import { Visibility } from "./visibility";

const KEY = "filter";
const RESIZED_MS = 200;
const NOTICE_MS = 8_000;
const TELL_MS = 1_000;

export class FilterOverlay extends EventTarget implements Part {
  /** How much of the time between frames the GPU may take before the filter steps down. */
  readonly pace = new Pace();
  private wanted: FilterChoice;
  private kind: FrameFilter["kind"] | null = null;
  /** Why there is no filter in this browser. */
  private problem: string | null = null;
  /** Why it was switched off, until somebody switches it on again or another title plays. */
  private gaveUp: string | null = null;
  private runner: Runner | null = null;
  private filter: GpuFilter | null = null;
  private opening = false;
  private steps = 0;
  private losses: FrameFilter["kind"][] = [];
  private box: Size = { width: 0, height: 0 };
  /** When the status was last written. */
  private told = 0;
  private noticeTimer: ReturnType<typeof setTimeout> | undefined;
  private boxTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly menu = new FilterMenu((changed) => this.set(changed));
  private readonly button: HTMLButtonElement;
  private readonly summarise: (summary: string) => void;
  private readonly visibility: Visibility;

  constructor(private readonly player: Player) {
    super();
    this.wanted = complete(player.recall(KEY));
    player.addStyles(css);
    this.summarise = player.addMenu(KEY, "Upscale in the browser", this.menu.body);
    this.button = player.addButton(KEY, "Upscale in the browser", () => this.set({ on: !this.isOn }), FILTER);
    this.visibility = new Visibility(player.video, () => this.seen());
    player.addEventListener("title", this.forgive);
    player.addEventListener("layout", this.place);
    for (const event of ["variant", "variants"] as const) player.addEventListener(event, this.redraw);
    player.filter = this;
    player.gpuMilliseconds = () => this.runner?.milliseconds ?? null;
    this.place();
    void this.begin();
  }

  destroy(): void {
    const { player } = this;
    player.removeEventListener("title", this.forgive);
    player.removeEventListener("layout", this.place);
    for (const event of ["variant", "variants"] as const) player.removeEventListener(event, this.redraw);
    player.filter = null;
    player.gpuMilliseconds = null;
    clearTimeout(this.noticeTimer);
    clearTimeout(this.boxTimer);
    this.visibility.destroy();
    this.wanted = { ...this.wanted, on: false };
    this.update();
  }

  /** What the viewer, or the part that chooses for them, set. */
  get choice(): Readonly<FilterChoice> {
    return this.wanted;
  }

  get isOn(): boolean {
    return this.wanted.on && !this.problem && !this.gaveUp;
  }

  /** Why it does not run though it is switched on, or why it cannot be. */
  get trouble(): string | null {
    return this.problem ?? this.gaveUp;
  }

  /** What runs: null while it is off, or there is nothing to do. */
  get running(): { kind: FrameFilter["kind"]; gpu: string; settings: FilterSettings } | null {
    const settings = this.settings(sourceSize(this.player));
    return this.filter && this.runner && settings && { kind: this.filter.kind, gpu: this.filter.gpu, settings };
  }

  /** Frames that were drawn since it was opened. */
  get drawn(): number {
    return this.runner?.drawn ?? 0;
  }

  /** Tells with the event `choice` that it was the viewer who changed it. */
  set(changed: Partial<FilterChoice>, by: "viewer" | "chooser" = "viewer"): void {
    this.wanted = { ...this.wanted, ...changed };
    if (changed.preset || changed.target || changed.on) this.start();
    if (by === "viewer") this.player.remember(KEY, this.wanted);
    this.update();
    if (by === "viewer") this.dispatchEvent(new Event("choice"));
  }

  /** The frame on the screen now, or a newer one, as the filter draws it; null where it draws none. */
  async picture(): Promise<ImageBitmap | null> {
    return (await this.runner?.picture()) ?? null;
  }

  /** The GPU goes away, as it would if its driver crashed: for tests. */
  lose(): void {
    this.filter?.lose();
  }

  private async begin(): Promise<void> {
    try {
      if (!("requestVideoFrameCallback" in this.player.video)) throw new Error("This browser does not tell frames apart.");
      this.kind = await probe();
    } catch (error) {
      this.problem = `This browser cannot upscale: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.update();
  }

  /** From the top: nothing that went wrong before counts. */
  private start(): void {
    this.gaveUp = null;
    this.steps = 0;
    this.losses = [];
    this.pace.restart();
  }

  private readonly forgive = (): void => {
    this.start();
    this.update();
  };

  private readonly redraw = (): void => this.runner?.refresh();

  private seen(): void {
    if (this.filter && this.visibility.isAway) this.filter.canvas.hidden = true;
    this.runner?.refresh();
  }

  /** Brings what runs in line with what is wanted. */
  private update(): void {
    if (!this.isOn) this.close();
    else if (!this.runner && this.kind && !this.opening) void this.open([this.kind, "webgl2"]);
    this.runner?.refresh();
    this.show();
  }

  private async open(kinds: FrameFilter["kind"][]): Promise<void> {
    this.opening = true;
    try {
      const filter = await openFilter(kinds);
      if (this.isOn) this.run(filter);
      else filter.destroy();
    } catch (error) {
      this.giveUp(error instanceof Error ? error.message : String(error));
    }
    this.opening = false;
    this.show();
  }

  private run(filter: GpuFilter): void {
    const { player } = this;
    const { canvas } = filter;
    canvas.dataset.layer = "filter";
    canvas.hidden = true;
    player.layers.prepend(canvas);
    this.kind = filter.kind;
    this.filter = filter;
    this.place();
    this.pace.restart();
    this.runner = new Runner({
      ...{ video: player.video, filter },
      settings: (source) => this.settings(source),
      isSeen: () => this.visibility.isSeen && !player.comparing,
      onFrame: (milliseconds, skipped) => this.watch(milliseconds, skipped),
      onFailure: (reason) => this.recover(filter.kind, reason),
    });
  }

  private close(): void {
    this.runner?.stop();
    this.runner = null;
    this.filter = null;
  }

  /** What runs for frames of this size, after the steps down; null where nothing would be added. */
  private settings(source: Size | null): FilterSettings | null {
    if (!source || !this.kind) return null;
    const { preset, strength, target } = this.wanted;
    const asked = { preset, strength, target: targetSize(target, this.box, devicePixelRatio, source) };
    const settings = stepped(asked, this.steps, source, this.kind);
    return settings && plan(findPreset(settings.preset), source, settings.target).length ? settings : null;
  }

  private watch(milliseconds: number, skipped: number): void {
    const { video, frameSeconds } = this.player;
    if (!video.paused) {
      const interval = (1000 * frameSeconds) / Math.abs(video.playbackRate || 1);
      const verdict = this.pace.observe({ milliseconds, interval, skipped });
      if (verdict === "slow") this.stepDown(interval);
      else if (verdict === "roomy") this.stepUp(interval);
    }
    if (performance.now() - this.told < TELL_MS) return;
    this.told = performance.now();
    this.menu.say(this.status());
  }

  private stepDown(interval: number): void {
    const source = sourceSize(this.player);
    const before = this.settings(source);
    const took = this.pace.typical;
    if (!source || !before) return;
    const late =
      took !== null && took > interval * this.pace.budget
        ? `${describe(before)} took ${milliseconds(took)} per frame, and a frame lasts ${milliseconds(interval)}`
        : `${describe(before)} left frames out`;
    this.steps += 1;
    this.pace.restart();
    const after = this.settings(source);
    if (!after) return this.giveUp(`${late}. This GPU is too slow for the lightest filter, so it is off.`);
    this.notify(`${late}: ${describe(after)} runs instead.`);
  }

  private stepUp(interval: number): void {
    const source = sourceSize(this.player);
    const now = this.settings(source);
    const took = this.pace.typical;
    if (!source || !now || !this.steps || took === null) return;
    this.steps -= 1;
    const heavier = this.settings(source);
    const expected = heavier ? (took * cost(heavier, source)) / cost(now, source) : Infinity;
    if (!heavier || expected > 0.75 * this.pace.budget * interval) {
      this.steps += 1;
      return;
    }
    this.pace.returned();
    this.notify(`There is room on the GPU again: ${describe(heavier)} runs.`);
  }

  /** Once more with the same kind, then with WebGL2, then not at all; the video plays on meanwhile. */
  private recover(kind: FrameFilter["kind"], reason: string): void {
    this.close();
    const again = !this.losses.includes(kind);
    this.losses.push(kind);
    const next: FrameFilter["kind"] | null = again ? kind : kind === "webgpu" ? "webgl2" : null;
    if (!next) return this.giveUp(`The filter is off: ${reason}`);
    void this.open(next === "webgpu" ? ["webgpu", "webgl2"] : ["webgl2"]).then(() => {
      if (this.filter) this.notify(`${reason} The filter was started again on ${nameOf(this.filter.kind)}.`);
    });
  }

  private giveUp(reason: string): void {
    this.gaveUp = reason;
    this.close();
    clearTimeout(this.noticeTimer);
    this.player.say(KEY, reason);
    this.show();
  }

  /** A sentence that goes by itself. */
  private notify(sentence: string): void {
    clearTimeout(this.noticeTimer);
    this.player.say(KEY, sentence);
    this.noticeTimer = setTimeout(() => this.player.say(KEY, null), NOTICE_MS);
    this.show();
  }

  private readonly place = (): void => {
    const { x, y, width, height } = this.player.pictureBox;
    const { canvas } = this.filter ?? {};
    canvas?.style.setProperty("left", `${x}px`);
    canvas?.style.setProperty("top", `${y}px`);
    canvas?.style.setProperty("width", `${width}px`);
    canvas?.style.setProperty("height", `${height}px`);
    const settle = (): void => {
      this.box = { width, height };
      this.runner?.refresh();
    };
    clearTimeout(this.boxTimer);
    if (this.box.width) this.boxTimer = setTimeout(settle, RESIZED_MS);
    else settle();
  };

  private show(): void {
    const { button, menu, isOn } = this;
    const label = this.problem ?? (isOn ? "Upscaling in the browser: switch off" : "Upscale in the browser");
    button.setAttribute("aria-pressed", String(isOn));
    button.setAttribute("aria-label", label);
    button.title = label;
    button.disabled = this.problem !== null;
    menu.show({ ...this.wanted, on: isOn }, this.kind, this.problem);
    menu.say(this.status());
    this.summarise(isOn ? `On · ${findPreset(this.wanted.preset).label}` : "Off");
  }

  private status(): string {
    const { running, trouble } = this;
    if (trouble) return trouble;
    if (!this.isOn) return this.kind ? `Would run on ${nameOf(this.kind)}.` : "";
    if (!running) return this.filter ? "There is nothing to add: the picture is as large as its box." : "Starting…";
    const took = this.pace.typical;
    const speed = took === null ? "" : `, ${milliseconds(took)} per frame`;
    return `${describe(running.settings)} on ${nameOf(running.kind)}${speed}.`;
  }
}

function sourceSize({ video }: Player): Size | null {
  return video.videoWidth ? { width: video.videoWidth, height: video.videoHeight } : null;
}

function describe({ preset, target }: FilterSettings): string {
  return `Anime4K ${findPreset(preset).label} to ${target.width}×${target.height}`;
}

const nameOf = (kind: FrameFilter["kind"]): string => (kind === "webgpu" ? "WebGPU" : "WebGL2");

const milliseconds = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
