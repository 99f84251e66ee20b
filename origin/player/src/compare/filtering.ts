/** Runs the browser's own upscaling over one side. */

import { openFilter } from "../filter/open";
import { presetsFor } from "../filter/presets";
import type { FrameFilter, Size } from "../types";
import type { Preset } from "./choices";
import type { Picture } from "./pictures";

/** The server's renditions are mostly twice as large as their source. */
const TIMES = 2;

/** What this browser can run; empty where it has no GPU to run it on. */
export async function availablePresets(): Promise<readonly Preset[]> {
  try {
    const filter = await openFilter();
    filter.destroy();
    return presetsFor(filter.kind);
  } catch {
    return [];
  }
}

export interface FilteringOptions {
  preset: string;
  /** A picture is done, or (null) was given up. */
  onPicture: (picture: Picture) => void;
  onUnderway: (seconds: number | null) => void;
  onFailure: (reason: string) => void;
}

/** Takes the newest frame whenever the GPU is free, and leaves out what came in between. */
export class Filtering {
  milliseconds: number | null = null;
  private filter: FrameFilter | null = null;
  private next: { frame: VideoFrame; seconds: number } | null = null;
  private busy = false;
  private stopped = false;

  constructor(private readonly options: FilteringOptions) {}

  /** Takes the frame over. */
  feed(frame: VideoFrame, seconds: number): void {
    if (this.stopped) return frame.close();
    this.next?.frame.close();
    this.next = { frame, seconds };
    if (!this.busy) void this.work();
  }

  clear(): void {
    this.next?.frame.close();
    this.next = null;
  }

  stop(): void {
    this.stopped = true;
    this.clear();
    if (!this.busy) this.filter?.destroy();
  }

  private async work(): Promise<void> {
    this.busy = true;
    try {
      while (this.next && !this.stopped) {
        const { frame, seconds } = this.next;
        this.next = null;
        this.options.onUnderway(seconds);
        const image = await this.render(frame).finally(() => frame.close());
        this.options.onUnderway(null);
        if (this.stopped) image.close();
        else this.options.onPicture({ seconds, image });
      }
    } catch (error) {
      if (!this.stopped) this.fail(error instanceof Error ? error.message : String(error));
    }
    this.busy = false;
    if (this.stopped) this.filter?.destroy();
  }

  private async render(frame: VideoFrame): Promise<ImageBitmap> {
    this.filter ??= await this.start({ width: frame.displayWidth, height: frame.displayHeight });
    this.milliseconds = await this.filter.render(frame);
    return createImageBitmap(this.filter.canvas);
  }

  private async start(size: Size): Promise<FrameFilter> {
    const filter = await openFilter();
    void filter.lost.then((reason) => this.fail(reason));
    const target = { width: size.width * TIMES, height: size.height * TIMES };
    await filter.configure(size, { preset: this.options.preset, strength: 1, target });
    return filter;
  }

  private fail(reason: string): void {
    if (this.stopped) return;
    this.stop();
    this.options.onUnderway(null);
    this.options.onFailure(reason);
  }
}
