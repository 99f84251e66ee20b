/** Runs the browser's own upscaling over one side. */

import type { FrameFilter, FrameSource, Size } from "../types";
import type { Picture } from "./pictures";

/** Opens a filter for frames of `source`'s size. Rejects with a reason for people. */
export type OpenFilter = (preset: string, source: Size) => Promise<FrameFilter>;

export interface FilteringOptions {
  open: OpenFilter;
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
    this.milliseconds = await this.filter.render(frame as FrameSource);
    return createImageBitmap(this.filter.canvas);
  }

  private async start(size: Size): Promise<FrameFilter> {
    const filter = await this.options.open(this.options.preset, size);
    void filter.lost.then((reason) => this.fail(reason));
    return filter;
  }

  private fail(reason: string): void {
    if (this.stopped) return;
    this.stop();
    this.options.onUnderway(null);
    this.options.onFailure(reason);
  }
}
