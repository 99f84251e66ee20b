/** Runs a filter over the frames of a video as they are presented; the newest, where it is late. */

import type { FilterSettings, Size } from "../types";
import type { GpuFilter } from "./gpu";

export interface RunnerOptions {
  video: HTMLVideoElement;
  filter: GpuFilter;
  /** What to run for frames of this size; null is nothing. */
  settings(source: Size): FilterSettings | null;
  /** Whether somebody sees it. */
  isSeen(): boolean;
  /** A frame is on the canvas: how long it took, and how many were left out since the one before. */
  onFrame(milliseconds: number, skipped: number): void;
  /** The filter cannot go on. */
  onFailure(reason: string): void;
}

export class Runner {
  /** Of the last frame; null before the first. */
  milliseconds: number | null = null;
  /** Frames so far. */
  drawn = 0;
  private handle = 0;
  private busy = false;
  /** There is something newer to draw than what is, or is being, drawn. */
  private stale = false;
  private arrived = 0;
  private waiting: ((picture: Promise<ImageBitmap> | null) => void)[] = [];
  private stopped = false;

  constructor(private readonly options: RunnerOptions) {
    const { video, filter } = options;
    video.addEventListener("emptied", this.clear);
    void filter.lost.then((reason) => this.fail(reason));
    this.listen();
    this.refresh();
  }

  /** Draws the frame on the screen again: settings changed, or somebody looks again. */
  refresh(): void {
    this.stale = true;
    if (!this.busy) void this.work();
  }

  /** The frame on the screen now, or a newer one, as the filter draws it; null if it draws none. */
  picture(): Promise<ImageBitmap | null> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.refresh();
    });
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    const { video, filter } = this.options;
    video.cancelVideoFrameCallback(this.handle);
    video.removeEventListener("emptied", this.clear);
    filter.canvas.remove();
    if (!this.busy) filter.destroy();
  }

  private listen(): void {
    this.handle = this.options.video.requestVideoFrameCallback(() => {
      this.listen();
      this.arrived = this.options.isSeen() ? this.arrived + 1 : 0;
      this.refresh();
    });
  }

  private readonly clear = (): void => {
    this.options.filter.canvas.hidden = true;
  };

  private async work(): Promise<void> {
    this.busy = true;
    try {
      while (this.stale && !this.stopped && this.options.isSeen()) await this.draw();
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
    this.hand(null);
    this.busy = false;
    if (this.stopped) this.options.filter.destroy();
  }

  private async draw(): Promise<void> {
    const { video, filter } = this.options;
    const source = sizeOf(video);
    const settings = source && this.options.settings(source);
    this.stale = false;
    if (!source || !settings) return this.clear();
    await filter.configure(source, settings);
    const now = sizeOf(video);
    if (now?.width !== source.width || now.height !== source.height) return this.refresh();
    const skipped = Math.max(0, this.arrived - 1);
    this.arrived = 0;
    const rendering = filter.render(video);
    // What WebGPU drew can be had in the same task only.
    if (this.waiting.length) this.hand(createImageBitmap(filter.canvas));
    this.milliseconds = await rendering;
    if (this.stopped) return;
    this.drawn += 1;
    filter.canvas.hidden = false;
    this.options.onFrame(this.milliseconds, skipped);
  }

  private hand(picture: Promise<ImageBitmap> | null): void {
    for (const resolve of this.waiting.splice(0)) resolve(picture);
  }

  private fail(reason: string): void {
    if (this.stopped) return;
    this.stop();
    this.options.onFailure(reason);
  }
}

function sizeOf(video: HTMLVideoElement): Size | null {
  const { videoWidth: width, videoHeight: height } = video;
  return width && height && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? { width, height } : null;
}
